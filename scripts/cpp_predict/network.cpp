#include "network.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <sstream>
#include <string_view>

namespace {

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

std::vector<float> values_of(const torch::Tensor& tensor) {
    const auto fetched = tensor.to(torch::kCPU).contiguous();  // waits for the GPU
    return {fetched.const_data_ptr<float>(), fetched.const_data_ptr<float>() + fetched.numel()};
}

}  // namespace

Network::Network(const std::string& path, torch::Device device) : path_(path), device_(device) {
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

Answer Network::answer(const Frame& frame) {
    const c10::InferenceMode guard;  // for this thread only: each thread of a service needs its own
    Answer answer;
    try {
        // from_blob borrows the pixels: `frame` must outlive forward. It has no form for const; forward only reads.
        const auto pixels = torch::from_blob(
            const_cast<std::uint8_t*>(frame.rgb.data()), {1, frame.height, frame.width, 3}, torch::kUInt8);
        if (const auto both = module_.find_method("answer")) {
            const auto outputs = (*both)({pixels.to(device_)}).toTuple();
            answer.scores = values_of(outputs->elements()[0].toTensor());
            answer.known = outputs->elements()[1].toTensor().item<float>();
        } else if (const auto output = module_.forward({pixels.to(device_)}); output.isTuple()) {
            const auto outputs = output.toTuple();
            answer.boxes = values_of(outputs->elements()[0].toTensor());
            answer.scores = values_of(outputs->elements()[1].toTensor());
        } else {
            answer.scores = values_of(output.toTensor());
        }
    } catch (const std::exception& error) {
        throw Failure(path_ + ": its network cannot run (" + reason_of(error) + ")" + convert_again +
                      ", with the torch that this program is built with");
    }
    const auto rows = answer.boxes.empty() ? 1 : answer.boxes.size() / 4;
    if (answer.scores.size() != rows * class_names_.size()) {
        throw Failure(path_ + ": it names " + std::to_string(class_names_.size()) + " classes, its network has " +
                      std::to_string(answer.scores.size() / rows) + convert_again);
    }
    return answer;
}
