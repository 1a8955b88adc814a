/* Policy {{name}}: per class, the k images whose first class is furthest ahead of the
 * second. Make it yours: another view, another order, another weight. */
#define UPL_PLUGIN_IMPLEMENTATION
#include "upl_plugin.h"

struct image {
    uint64_t row;
    float margin;
};

/* {{Type}} is what the policy keeps during a run. */
typedef struct {{Type}} {
    int64_t k;
    upl_view stats;
    struct image *images; /* k of each class, the best first */
    uint32_t *counts;     /* how many there are, of each class */
} {{Type}};

/* configure reads the parameters and opens the view: 16 bytes an image, which the
 * host computes. */
static int32_t configure(upl_run *run) {
    {{Type}} *self = run->state;
    UPL_TRY(upl_param_int(run, "k", &self->k));
    self->images = upl_alloc(run->data.classes * (size_t)self->k * sizeof *self->images);
    self->counts = upl_alloc(run->data.classes * sizeof *self->counts);
    return upl_open(run, &self->stats, (upl_view_spec){
        .kind = UPL_VIEW_STATS, .model = UPL_ENSEMBLE, .flags = UPL_FLAG_NO_ENTROPY});
}

/* insert puts an image in its place; of equal margins the earlier image is first. */
static void insert({{Type}} *self, uint32_t class, struct image image) {
    struct image *best = self->images + class * self->k;
    uint32_t at = self->counts[class];
    if (at == self->k) {
        if (image.margin <= best[at - 1].margin) return;
        at--;
    } else {
        self->counts[class]++;
    }
    for (; at > 0 && best[at - 1].margin < image.margin; at--) best[at] = best[at - 1];
    best[at] = image;
}

/* observe looks at each image of a batch. */
static int32_t observe(upl_run *run, uint64_t first, uint32_t rows) {
    {{Type}} *self = run->state;
    UPL_TRY(upl_read(run, &self->stats, first, rows));
    for (uint32_t i = 0; i < rows; i++) {
        const upl_stats *s = &self->stats.stats[i];
        insert(self, s->class, (struct image){first + i, s->margin});
    }
    return 0;
}

/* end_round emits what was kept. */
static int32_t end_round(upl_run *run) {
    {{Type}} *self = run->state;
    for (uint32_t c = 0; c < run->data.classes; c++) {
        for (uint32_t i = 0; i < self->counts[c]; i++) {
            UPL_TRY(upl_emit(run, self->images[c * self->k + i].row, c, 1));
        }
    }
    return 0;
}

/* upl-plugin.yaml says the same. */
static const upl_policy policies[] = {
    {
        .name = "{{name}}",
        .version = "0.1.0",
        .summary = "per class the k images whose first class is furthest ahead of the second",
        .parameters =
            "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
            "\"k\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 1000, \"default\": 16,"
            " \"description\": \"images per class\"}}}",
        .needs = {UPL_VIEW_STATS},
        .state_size = sizeof({{Type}}),
        .configure = configure,
        .observe = observe,
        .end_round = end_round,
    },
};
UPL_PLUGIN(policies)
