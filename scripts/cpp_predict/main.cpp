// cpp_predict: classifies image files with a deploy file, as a C++ service does. It is meant to be copied from:
// `Classifier` is all that a service needs, which gets its frames from a video decoder instead of image.cpp.
//
//   cmake -S scripts/cpp_predict -B build/cpp_predict -DPYTHON=.venv/bin/python && cmake --build build/cpp_predict
//   build/cpp_predict/cpp_predict save_pt_pth_file/repvgg_a0_cpp_deploy.pt frame.jpg another.ppm --top 3
//
// Prints for each image its path, then a line "PROBABILITY  CLASS" for each of the likeliest classes, then "known K", the
// probability that the image shows one of the classes at all, if the file gives it, then the milliseconds. Exit status: 0, or 2 after an error, of which each is one line on standard error. An image that
// cannot be read does not keep the others from being classified.

#include "image.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>  // set_num_threads, the only thing that torch/script.h does not bring
#include <torch/script.h>

namespace {

constexpr std::string_view usage =
    "cpp_predict FILE.pt IMAGE... [--top 5] [--all] [--threads N] [--device cpu|cuda]";

constexpr std::string_view help = R"(
FILE.pt      what src/main_convert.py wrote
IMAGE        JPEG or binary PPM (P6)
--top N      print the N likeliest classes (default: 5)
--all        print every class, in the order of class_names.txt
--threads N  that one inference runs in (default: the processor's cores)
--device     cpu or cuda (default: cpu)
)";

// What ends the program early: the message names the remedy.
class Failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Options {
    std::string model;
    std::vector<std::string> images;
    int top = 5;
    bool all = false;
    std::optional<int> threads;
    torch::Device device = torch::kCPU;
};

// torch's messages go on with advice and pages of stack trace; their first sentence is the reason. That of a failed
// operation stands in a line of its own.
std::string reason_of(const std::exception& error) {
    constexpr std::string_view mark = "\nRuntimeError: ";
    std::string text = error.what();
    if (const auto start = text.find(mark); start != std::string::npos) {
        text.erase(0, start + mark.size());
    }
    return text.substr(0, std::min(text.find('\n'), text.find(". ")));
}

constexpr const char* convert_again = "; convert the checkpoint again with src/main_convert.py";

struct Answer {
    std::vector<float> probabilities;  // of the classes, in index order
    std::optional<float> known;        // that it is one of the classes at all; files made before there was this have none
};

// A deploy file, ready to run. Resizing and normalising happen inside the file.
class Classifier {
public:
    Classifier(const std::string& path, torch::Device device) : path_(path), device_(device) {
        if (!std::filesystem::is_regular_file(path)) {
            throw Failure(path + ": no such file; src/main_convert.py writes NETWORK_cpp_deploy.pt");
        }
        torch::jit::ExtraFilesMap extra{{"class_names.txt", ""}};  // "meta.json" holds all the rest, as JSON
        try {
            module_ = torch::jit::load(path, device, extra);
        } catch (const std::exception& error) {
            throw Failure(path + ": not a TorchScript file, or a damaged one (" + reason_of(error) + ")" +
                          convert_again);
        }
        std::istringstream lines(extra["class_names.txt"]);
        for (std::string name; std::getline(lines, name);) {
            class_names_.push_back(name);
        }
        if (class_names_.empty()) {
            throw Failure(path + ": no class names inside" + convert_again);
        }
    }

    // In index order.
    const std::vector<std::string>& class_names() const { return class_names_; }

    Answer classify(const Frame& frame) {
        const c10::InferenceMode guard;  // for this thread only: each thread of a service needs its own
        Answer answer;
        try {
            // from_blob borrows the pixels: `frame` must outlive forward. It has no form for const; forward only reads.
            const auto pixels = torch::from_blob(
                const_cast<std::uint8_t*>(frame.rgb.data()), {1, frame.height, frame.width, 3}, torch::kUInt8);
            torch::Tensor probabilities;
            if (const auto both = module_.find_method("answer")) {
                const auto outputs = (*both)({pixels.to(device_)}).toTuple();
                probabilities = outputs->elements()[0].toTensor();
                answer.known = outputs->elements()[1].toTensor().item<float>();
            } else {
                probabilities = module_.forward({pixels.to(device_)}).toTensor();
            }
            const auto fetched = probabilities.to(torch::kCPU).contiguous();  // waits for the GPU
            const auto* first = fetched.const_data_ptr<float>();
            answer.probabilities.assign(first, first + fetched.numel());
        } catch (const std::exception& error) {
            throw Failure(path_ + ": its network cannot run (" + reason_of(error) + ")" + convert_again +
                          ", with the torch that this program is built with");
        }
        if (answer.probabilities.size() != class_names_.size()) {
            throw Failure(path_ + ": it names " + std::to_string(class_names_.size()) + " classes, its network has " +
                          std::to_string(answer.probabilities.size()) + convert_again);
        }
        return answer;
    }

private:
    std::string path_;
    torch::Device device_;
    torch::jit::Module module_;
    std::vector<std::string> class_names_;
};

int positive_number(const std::string& option, std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 1) {
        throw Failure(option + " takes a whole number of at least 1, not '" + std::string(text) + "'");
    }
    return number;
}

torch::Device device_named(const std::string& name) {
    if (name == "cpu") {
        return torch::kCPU;
    }
    if (name != "cuda") {
        throw Failure("--device takes cpu or cuda, not '" + name + "'");
    }
    if (!at::hasCUDA()) {
        throw Failure("--device cuda: no GPU that this libtorch can use; give --device cpu");
    }
    return torch::kCUDA;
}

Options parse(const std::vector<std::string>& arguments) {
    Options options;
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto& argument = arguments[i];
        const auto value = [&]() -> const std::string& {
            if (i + 1 == arguments.size()) {
                throw Failure(argument + " needs a value; usage: " + std::string(usage));
            }
            return arguments[++i];
        };
        if (argument == "--top") {
            options.top = positive_number(argument, value());
        } else if (argument == "--threads") {
            options.threads = positive_number(argument, value());
        } else if (argument == "--device") {
            options.device = device_named(value());
        } else if (argument == "--all") {
            options.all = true;
        } else if (argument.starts_with("--")) {
            throw Failure("unknown option " + argument + "; usage: " + std::string(usage));
        } else {
            paths.push_back(argument);
        }
    }
    if (paths.size() < 2) {
        throw Failure(std::string(paths.empty() ? "no deploy file given" : "no images given") +
                      "; usage: " + std::string(usage));
    }
    options.model = paths[0];
    options.images.assign(paths.begin() + 1, paths.end());
    return options;
}

// The classes to print, as indices.
std::vector<std::size_t> chosen(const std::vector<float>& probabilities, const Options& options) {
    std::vector<std::size_t> indices(probabilities.size());
    std::iota(indices.begin(), indices.end(), std::size_t{0});
    if (!options.all) {
        std::ranges::stable_sort(indices, std::ranges::greater{}, [&](auto i) { return probabilities[i]; });
        indices.resize(std::min(indices.size(), static_cast<std::size_t>(options.top)));
    }
    return indices;
}

template <class Value>
struct Timed {
    Value value;
    double milliseconds;
};

// What `step` returns, and how long it took.
template <class Step>
auto timed(Step step) {
    const auto start = std::chrono::steady_clock::now();
    auto value = step();
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    return Timed<decltype(value)>{std::move(value), elapsed.count()};
}

void print_milliseconds(double decode, double inference) {
    std::ostringstream line;
    line << std::fixed << std::setprecision(2) << "decode " << decode << " ms, inference " << inference << " ms";
    std::cout << "  " << line.str() << "\n";
}

// TorchScript watches its first run and rewrites the network in its second; from the third on it is fast.
constexpr int warm_up_runs = 2;

// Returns whether every image could be read.
bool classify_all(Classifier& classifier, const Options& options) {
    int runs = 0;
    bool good = true;
    for (const auto& path : options.images) {
        try {
            const auto frame = timed([&] { return read_image(path); });
            for (; runs < warm_up_runs; ++runs) {
                classifier.classify(frame.value);
            }
            const auto answer = timed([&] { return classifier.classify(frame.value); });
            const auto& [probabilities, known] = answer.value;
            std::cout << path << "\n" << std::left << std::setprecision(9);
            for (const auto index : chosen(probabilities, options)) {
                std::cout << "  " << std::setw(15) << probabilities[index] << "  " << classifier.class_names()[index]
                          << "\n";
            }
            if (known) {
                std::cout << "  known " << *known << "\n";
            }
            print_milliseconds(frame.milliseconds, answer.milliseconds);
        } catch (const ImageError& error) {
            std::cerr << "error: " << path << ": " << error.what() << std::endl;
            good = false;
        }
    }
    return good;
}

int run(const std::vector<std::string>& arguments) {
    if (std::ranges::find(arguments, "--help") != arguments.end()) {
        std::cout << usage << "\n" << help;
        return 0;
    }
    const auto options = parse(arguments);
    if (options.threads) {
        at::set_num_threads(*options.threads);
    }
    Classifier classifier(options.model, options.device);
    const bool good = classify_all(classifier, options);
    if (!std::cout.flush()) {
        throw Failure("standard output cannot be written; is its disk full?");
    }
    return good ? 0 : 2;
}

}  // namespace

int main(int count, char** values) {
    try {
        return run({values + 1, values + count});
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << std::endl;
        return 2;
    }
}
