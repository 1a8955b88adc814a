/* Policy low-entropy: per class, the K images of least entropy among those predicted
 * as it, as far as their entropy is below a quantile of that of all images. Entropy
 * looks at all classes, where top-k looks at the first alone and a margin at two:
 * 0.6 against 0.4 is taken before 0.6 against 4 x 0.1. As a measure of pseudo labels
 * it is that of ESL (Saporta et al. 2020). */
#define UPL_PLUGIN_IMPLEMENTATION
#include "upl_plugin.h"

struct image {
    uint64_t row;
    float entropy, margin;
};

/* best are the images of a class that may be among its first K; 2 K at most. */
struct best {
    struct image *images;
    uint32_t count, room;
    bool cut; /* the first K of images are in order */
};

struct low_entropy {
    int64_t k;
    uint32_t thousandth; /* the quantile is this one of a thousand */
    bool certainty;      /* weights are 1 - H / ln C */
    upl_view stats, quantile;
    struct best *classes;
};

enum { QUANTILES = 1000 };

/* configure reads the parameters and opens the views: 16 bytes an image, which the
 * host computes, and the quantiles, which it has at the end. */
static int32_t configure(upl_run *run) {
    struct low_entropy *self = run->state;
    double quantile;
    const char *weight;
    UPL_TRY(upl_param_int(run, "k", &self->k));
    UPL_TRY(upl_param_float(run, "quantile", &quantile));
    UPL_TRY(upl_param_text(run, "weight", &weight));
    self->thousandth = (uint32_t)(quantile * QUANTILES + 0.5);
    self->certainty = upl_equal(weight, "certainty");
    self->classes = upl_alloc(run->data.classes * sizeof *self->classes);
    UPL_TRY(upl_open(run, &self->stats, (upl_view_spec){.kind = UPL_VIEW_STATS, .model = UPL_ENSEMBLE}));
    return upl_open(run, &self->quantile, (upl_view_spec){
        .kind = UPL_VIEW_QUANTILE, .model = UPL_ENSEMBLE, .class = UPL_QUANTILE_ENTROPY, .m = QUANTILES});
}

/* better_first orders images: entropy ascending, margin descending, row ascending. */
static int better_first(const void *a, const void *b) {
    const struct image *x = a, *y = b;
    if (x->entropy != y->entropy) return x->entropy < y->entropy ? -1 : 1;
    if (x->margin != y->margin) return x->margin > y->margin ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* cut leaves the first K, in order. */
static void cut(struct best *best, int64_t k) {
    upl_sort(best->images, best->count, sizeof *best->images, better_first);
    if (best->count > k) best->count = (uint32_t)k;
}

static void add(struct best *best, struct image image, int64_t k) {
    if (best->cut && better_first(&best->images[k - 1], &image) < 0) return;
    if (best->count == best->room) {
        uint32_t room = best->room ? 2 * best->room : 16;
        best->images = upl_realloc(best->images, best->room * sizeof image, room * sizeof image);
        best->room = room;
    }
    best->images[best->count++] = image;
    if (best->count < 2 * k) return;
    cut(best, k);
    best->cut = true;
}

/* observe keeps the images of a batch that may be among the first. */
static int32_t observe(upl_run *run, uint64_t first, uint32_t rows) {
    struct low_entropy *self = run->state;
    UPL_TRY(upl_read(run, &self->stats, first, rows));
    for (uint32_t i = 0; i < rows; i++) {
        const upl_stats *s = &self->stats.stats[i];
        add(&self->classes[s->class], (struct image){first + i, s->entropy, s->margin}, self->k);
    }
    return 0;
}

static float weight_of(const struct low_entropy *self, float entropy, uint32_t classes) {
    if (!self->certainty || classes == 1) return 1;
    double weight = 1 - (double)entropy / upl_ln(classes);
    return weight > 0 ? (float)weight : 0; /* rounding may take it below */
}

/* end_round emits the first K of each class below the quantile. */
static int32_t end_round(upl_run *run) {
    struct low_entropy *self = run->state;
    if (run->data.rows == 0) return 0;
    UPL_TRY(upl_read(run, &self->quantile, self->thousandth, 1));
    double most = self->quantile.doubles[0];
    for (uint32_t c = 0; c < run->data.classes; c++) {
        struct best *best = &self->classes[c];
        cut(best, self->k);
        for (uint32_t i = 0; i < best->count && (double)best->images[i].entropy <= most; i++) {
            float weight = weight_of(self, best->images[i].entropy, run->data.classes);
            UPL_TRY(upl_emit(run, best->images[i].row, c, weight));
        }
    }
    return upl_metric("most_entropy", most);
}

static const upl_policy policies[] = {{
    .name = "low-entropy",
    .version = "1.0.0",
    .summary = "per class the K images of least entropy, below a quantile of all",
    .parameters =
        "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
        "\"k\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 100000, \"default\": 16,"
        " \"description\": \"images per class\"},"
        "\"quantile\": {\"type\": \"number\", \"minimum\": 0, \"maximum\": 1, \"default\": 0.5,"
        " \"description\": \"of all images' entropy, in thousandths: none above it is selected\"},"
        "\"weight\": {\"enum\": [\"one\", \"certainty\"], \"default\": \"one\","
        " \"description\": \"1, or 1 - H / ln C\"}}}",
    .needs = {UPL_VIEW_STATS, UPL_VIEW_QUANTILE},
    .state_size = sizeof(struct low_entropy),
    .configure = configure,
    .observe = observe,
    .end_round = end_round,
}};
UPL_PLUGIN(policies)
