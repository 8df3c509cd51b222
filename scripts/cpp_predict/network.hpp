// A deploy file, ready to run: what a service copies, besides boxes.cpp for a detector.

#pragma once

#include "image.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/script.h>

// What ends the program early: the message names the remedy.
class Failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Answer {
    std::vector<float> scores;   // a classifier's probabilities in index order, or for each box of a detector its scores
    std::vector<float> boxes;    // a detector's, x1 y1 x2 y2 of each in pixels of the frame; they may reach beyond it
    std::optional<float> known;  // that it is one of the classes at all; files made before there was this have none
};

// Resizing and normalising happen inside the file.
class Network {
public:
    Network(const std::string& path, torch::Device device);

    // In index order.
    const std::vector<std::string>& class_names() const { return class_names_; }

    Answer answer(const Frame& frame);

private:
    std::string path_;
    torch::Device device_;
    torch::jit::Module module_;
    std::vector<std::string> class_names_;
};
