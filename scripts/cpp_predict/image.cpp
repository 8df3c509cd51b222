// Reading an image file into RGB; see image.hpp. Built by CMakeLists.txt.

#include "image.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include <jpeglib.h>  // after cstdio, which it needs and does not include

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::int64_t max_pixels = std::int64_t{1} << 27;  // as in Python; a larger header is damage or an attack

constexpr const char* copy_again = "; copy the file again or leave it out";

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

[[noreturn]] void fail_to_read() {
    throw ImageError(std::string(std::strerror(errno)) + "; give the path of a JPEG or PPM file that can be read");
}

std::vector<std::uint8_t> read_file(const std::string& path) {
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
    if (!file) {
        fail_to_read();
    }
    std::vector<std::uint8_t> bytes;
    std::array<std::uint8_t, 65536> block;
    while (const auto count = std::fread(block.data(), 1, block.size(), file.get())) {
        bytes.insert(bytes.end(), block.begin(), block.begin() + count);
    }
    if (std::ferror(file.get())) {
        fail_to_read();
    }
    return bytes;
}

Frame empty_frame(std::int64_t height, std::int64_t width) {
    if (height < 1 || width < 1) {
        throw ImageError(std::string("no pixels") + copy_again);
    }
    if (height > max_pixels / width) {
        throw ImageError("more than " + std::to_string(max_pixels) + " pixels; make the picture smaller");
    }
    return {height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * 3))};
}

// libjpeg reports through C callbacks which must not return, and an exception must not pass through its C code.
struct JpegErrors {
    jpeg_error_mgr manager;  // first: libjpeg hands back a pointer to it
    std::jmp_buf jump;
    std::array<char, JMSG_LENGTH_MAX> message;
};

[[noreturn]] void leave_libjpeg(j_common_ptr state) {
    auto* errors = reinterpret_cast<JpegErrors*>(state->err);
    state->err->format_message(state, errors->message.data());
    std::longjmp(errors->jump, 1);
}

// libjpeg only warns of damaged data and paints grey; a frame that is partly invented is no frame.
void leave_at_warning(j_common_ptr state, int level) {
    if (level < 0) {
        leave_libjpeg(state);
    }
}

class JpegDecoder {
public:
    explicit JpegDecoder(Bytes data) {
        state_.err = jpeg_std_error(&errors_.manager);
        errors_.manager.error_exit = leave_libjpeg;
        errors_.manager.emit_message = leave_at_warning;
        guarded([&] {
            jpeg_create_decompress(&state_);
            jpeg_mem_src(&state_, data.data(), data.size());
        });
    }
    ~JpegDecoder() { jpeg_destroy_decompress(&state_); }
    JpegDecoder(const JpegDecoder&) = delete;
    JpegDecoder& operator=(const JpegDecoder&) = delete;

    Frame decode() {
        guarded([&] { jpeg_read_header(&state_, TRUE); });
        if (state_.jpeg_color_space == JCS_CMYK || state_.jpeg_color_space == JCS_YCCK) {
            throw ImageError("a JPEG in CMYK; save it in RGB");
        }
        auto frame = empty_frame(state_.image_height, state_.image_width);
        guarded([&] {
            state_.out_color_space = JCS_RGB;
            jpeg_start_decompress(&state_);
            while (state_.output_scanline < state_.output_height) {
                JSAMPROW row = frame.rgb.data() + std::size_t{3} * state_.output_width * state_.output_scanline;
                jpeg_read_scanlines(&state_, &row, 1);
            }
            jpeg_finish_decompress(&state_);  // finds data that ends after the last row but before its end mark
        });
        return frame;
    }

private:
    // `step` calls libjpeg, which may leave it by longjmp: it must have no object with a destructor.
    template <class Step>
    void guarded(Step step) {
        if (setjmp(errors_.jump) != 0) {
            throw ImageError(std::string(errors_.message.data()) + copy_again);
        }
        step();
    }

    JpegErrors errors_{};
    jpeg_decompress_struct state_{};
};

bool is_space(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// Takes one number of a PPM header, and the spaces and comments before it, off the front of `data`.
std::int64_t take_number(Bytes& data) {
    while (!data.empty() && (is_space(data[0]) || data[0] == '#')) {
        const bool comment = data[0] == '#';
        do {
            data = data.subspan(1);
        } while (comment && !data.empty() && data[0] != '\n');
    }
    std::int64_t number = -1;
    for (; !data.empty() && data[0] >= '0' && data[0] <= '9'; data = data.subspan(1)) {
        number = std::min(max_pixels + 1, std::max<std::int64_t>(number, 0) * 10 + (data[0] - '0'));
    }
    if (number < 0) {
        throw ImageError(std::string("a PPM header without its numbers") + copy_again);
    }
    return number;
}

Frame decode_ppm(Bytes data) {
    data = data.subspan(2);
    const auto width = take_number(data);
    const auto height = take_number(data);
    if (take_number(data) != 255) {
        throw ImageError("a PPM whose largest value is not 255; save it with 8 bits a colour");
    }
    auto frame = empty_frame(height, width);
    if (data.size() < 1 + frame.rgb.size()) {  // 1: the one space after the header
        throw ImageError(std::string("the data ends early") + copy_again);
    }
    std::memcpy(frame.rgb.data(), data.data() + 1, frame.rgb.size());
    return frame;
}

}  // namespace

Frame read_image(const std::string& path) {
    const auto data = read_file(path);
    const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
    if (text.starts_with("\xff\xd8")) {
        return JpegDecoder(data).decode();
    }
    if (text.starts_with("P6")) {
        return decode_ppm(data);
    }
    if (data.empty()) {
        throw ImageError(std::string("an empty file") + copy_again);
    }
    throw ImageError("neither a JPEG nor a binary PPM (P6); convert it to one of them");
}
