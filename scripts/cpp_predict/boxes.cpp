#include "boxes.hpp"

#include <algorithm>
#include <functional>

namespace {

constexpr std::size_t candidates = 3000;  // the best scores are looked at
constexpr std::size_t most = 300;

float area(const float* box) { return (box[2] - box[0]) * (box[3] - box[1]); }

float intersection_over_union(const float* one, const float* other) {
    const float width = std::max(0.0F, std::min(one[2], other[2]) - std::max(one[0], other[0]));
    const float height = std::max(0.0F, std::min(one[3], other[3]) - std::max(one[1], other[1]));
    const float common = width * height;
    return common / (area(one) + area(other) - common);
}

}  // namespace

std::vector<Box> select_boxes(const float* boxes, const float* scores, std::size_t count, std::size_t classes,
                              float least_score, double overlap) {
    std::vector<Box> found;
    for (std::size_t i = 0; i < count; ++i) {
        if (scores[i] > least_score) {
            found.push_back({boxes + i / classes * 4, scores[i], i % classes});
        }
    }
    std::ranges::stable_sort(found, std::ranges::greater{}, &Box::score);
    found.resize(std::min(found.size(), candidates));
    std::vector<Box> kept;
    for (const auto& box : found) {
        const bool covered = std::ranges::any_of(kept, [&](const Box& better) {
            return better.label == box.label && intersection_over_union(better.corners, box.corners) > overlap;
        });
        if (!covered) {
            kept.push_back(box);
        }
    }
    kept.resize(std::min(kept.size(), most));
    return kept;
}
