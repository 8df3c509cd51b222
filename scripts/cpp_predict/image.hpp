// Reading an image file into RGB, for main.cpp; a service that already has its frames in memory needs none of this.

#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

struct Frame {
    std::int64_t height;
    std::int64_t width;
    std::vector<std::uint8_t> rgb;  // height x width x 3
};

// Why a file gave no frame, as "reason; remedy".
class ImageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Reads a JPEG or a binary PPM (P6, 8 bits) at its full size; the content decides which, not the name.
// A JPEG comes as it is stored: a rotation in its EXIF, which frames of a stream do not have, is not followed.
Frame read_image(const std::string& path);
