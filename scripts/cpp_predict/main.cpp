// cpp_predict: runs a deploy file on image files, as a C++ service does. It is meant to be copied from: network.cpp, and
// boxes.cpp for a detector, are all that a service needs, which gets its frames from a video decoder, not from image.cpp.
//
//   cmake -S scripts/cpp_predict -B build/cpp_predict -DPYTHON=.venv/bin/python && cmake --build build/cpp_predict
//   build/cpp_predict/cpp_predict save_pt_pth_file/repvgg_a0_cpp_deploy.pt frame.jpg another.ppm --top 3
//   build/cpp_predict/cpp_predict save_pt_pth_file/yolov5n_detector_cpp_deploy.pt frame.jpg --score 0.5
//
// Prints for each image its path and then, for a classifier, a line "PROBABILITY  CLASS" for each of the likeliest classes
// and "known K", the probability that the image shows one of the classes at all, if the file gives it; for a detector, a
// line "SCORE  X1 Y1 X2 Y2  CLASS" for each object, in pixels of the image; then the milliseconds. Exit status: 0, or 2
// after an error, of which each is one line on standard error. An image that cannot be read does not keep the others from
// being looked at.

#include "boxes.hpp"
#include "image.hpp"
#include "network.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>  // set_num_threads, the only thing that torch/script.h does not bring
#include <torch/script.h>

namespace {

constexpr std::string_view usage =
    "cpp_predict FILE.pt IMAGE... [--top 5] [--score 0.25] [--overlap 0.6] [--all] [--threads N] [--device cpu|cuda]";

constexpr std::string_view help = R"(
FILE.pt      what src/main_convert.py wrote
IMAGE        JPEG or binary PPM (P6)
--top N      of a classifier: print the N likeliest classes (default: 5)
--score S    of a detector: least score of an object (default: 0.25)
--overlap O  of a detector: of two boxes of a class with a larger intersection over union, one is left out (default: 0.6)
--all        print every class, in the order of class_names.txt; of a detector every box with each, as the file gives them
--threads N  that one inference runs in (default: the processor's cores)
--device     cpu or cuda (default: cpu)
)";

struct Options {
    std::string model;
    std::vector<std::string> images;
    int top = 5;
    float score = 0.25F;
    double overlap = 0.6;
    bool all = false;
    std::optional<int> threads;
    torch::Device device = torch::kCPU;
};

int positive_number(const std::string& option, std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 1) {
        throw Failure(option + " takes a whole number of at least 1, not '" + std::string(text) + "'");
    }
    return number;
}

double share(const std::string& option, std::string_view text) {
    double number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || !(number >= 0 && number <= 1)) {
        throw Failure(option + " takes a number from 0 to 1, not '" + std::string(text) + "'");
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
        } else if (argument == "--score") {
            options.score = static_cast<float>(share(argument, value()));
        } else if (argument == "--overlap") {
            options.overlap = share(argument, value());
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

// The classes of a classifier, the likeliest first, or all of them in index order.
void print_classes(const Answer& answer, const std::vector<std::string>& class_names, const Options& options) {
    std::vector<std::size_t> indices(answer.scores.size());
    std::iota(indices.begin(), indices.end(), std::size_t{0});
    if (!options.all) {
        std::ranges::stable_sort(indices, std::ranges::greater{}, [&](auto i) { return answer.scores[i]; });
        indices.resize(std::min(indices.size(), static_cast<std::size_t>(options.top)));
    }
    for (const auto index : indices) {
        std::cout << "  " << std::setw(15) << answer.scores[index] << "  " << class_names[index] << "\n";
    }
    if (answer.known) {
        std::cout << "  known " << *answer.known << "\n";
    }
}

// The objects of a detector, best first, or all of its boxes with each class, in the order of the file.
void print_boxes(const Answer& answer, const std::vector<std::string>& class_names, const Options& options) {
    const auto classes = class_names.size();
    std::vector<Box> shown;
    if (options.all) {
        for (std::size_t i = 0; i < answer.scores.size(); ++i) {
            shown.push_back({&answer.boxes[i / classes * 4], answer.scores[i], i % classes});
        }
    } else {
        shown = select_boxes(answer.boxes.data(), answer.scores.data(), answer.scores.size(), classes, options.score,
                             options.overlap);
    }
    for (const auto& box : shown) {
        std::cout << "  " << std::setw(15) << box.score << "  " << box.corners[0] << " " << box.corners[1] << " "
                  << box.corners[2] << " " << box.corners[3] << "  " << class_names[box.label] << "\n";
    }
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
bool answer_all(Network& network, const Options& options) {
    int runs = 0;
    bool good = true;
    for (const auto& path : options.images) {
        try {
            const auto frame = timed([&] { return read_image(path); });
            for (; runs < warm_up_runs; ++runs) {
                network.answer(frame.value);
            }
            const auto answer = timed([&] { return network.answer(frame.value); });
            std::cout << path << "\n" << std::left << std::setprecision(9);
            (answer.value.boxes.empty() ? print_classes : print_boxes)(answer.value, network.class_names(), options);
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
    Network network(options.model, options.device);
    const bool good = answer_all(network, options);
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
