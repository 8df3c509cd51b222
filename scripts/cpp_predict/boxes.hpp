// From all boxes of a detector to those of objects, for main.cpp: non-maximum suppression for each class.

#pragma once

#include <cstddef>
#include <vector>

struct Box {
    const float* corners;  // x1 y1 x2 y2, where the detector gave them
    float score;
    std::size_t label;
};

// The boxes that have a score above `least_score`, best first; of two of a class whose intersection over union is above
// `overlap`, the better one stays. `boxes` are M x 4 and `scores` M x `classes`, with M x `classes` = `count`. The same as
// select_boxes of src/game_classifier/tasks/detection/nms.py.
std::vector<Box> select_boxes(const float* boxes, const float* scores, std::size_t count, std::size_t classes,
                              float least_score, double overlap);
