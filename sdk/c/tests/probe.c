/* A plugin that uses all of upl_plugin.h: what its policies see and do is compared
 * between upl_test.h and upl-host by plugins/wasm/c_test.go. */
#define UPL_PLUGIN_IMPLEMENTATION
#include "../upl_plugin.h"

/* ---- every-view: a digest of each view's records, as metrics. ---- */

struct digests {
    upl_view batch[8], global[8];
    const char *batch_names[8], *global_names[8];
    uint32_t batches, globals;
    uint64_t sums[8]; /* of the batch views, by row order */
};

static uint64_t digest(uint64_t sum, const void *bytes, size_t size) { /* FNV-1a */
    const uint8_t *b = bytes;
    for (size_t i = 0; i < size; i++) sum = (sum ^ b[i]) * 1099511628211u;
    return sum;
}

static int32_t record(const char *name, uint64_t sum) { return upl_metric(name, (double)(sum >> 12)); }

static int32_t open_batch(upl_run *run, const char *name, upl_view_spec spec) {
    struct digests *self = run->state;
    self->batch_names[self->batches] = name;
    self->sums[self->batches] = 14695981039346656037u;
    return upl_open(run, &self->batch[self->batches++], spec);
}

static int32_t open_global(upl_run *run, const char *name, upl_view_spec spec) {
    struct digests *self = run->state;
    self->global_names[self->globals] = name;
    return upl_open(run, &self->global[self->globals++], spec);
}

static int32_t every_view_configure(upl_run *run) {
    UPL_TRY(open_batch(run, "rows", (upl_view_spec){.kind = UPL_VIEW_ROWS}));
    UPL_TRY(open_batch(run, "rows at 0.5", (upl_view_spec){.kind = UPL_VIEW_ROWS, .model = UPL_ENSEMBLE, .temperature = 0.5f}));
    UPL_TRY(open_batch(run, "top_m", (upl_view_spec){.kind = UPL_VIEW_TOP_M, .model = UPL_ENSEMBLE, .m = 3}));
    UPL_TRY(open_batch(run, "stats", (upl_view_spec){.kind = UPL_VIEW_STATS, .model = UPL_ENSEMBLE}));
    UPL_TRY(open_batch(run, "stats without entropy", (upl_view_spec){.kind = UPL_VIEW_STATS, .flags = UPL_FLAG_NO_ENTROPY}));
    UPL_TRY(open_batch(run, "agree", (upl_view_spec){.kind = UPL_VIEW_AGREE}));
    UPL_TRY(open_batch(run, "column", (upl_view_spec){.kind = UPL_VIEW_COLUMN, .model = 1, .class = 2}));
    UPL_TRY(open_global(run, "class_top_k", (upl_view_spec){.kind = UPL_VIEW_CLASS_TOP_K, .model = UPL_ENSEMBLE, .m = 400}));
    UPL_TRY(open_global(run, "class_top_k of all", (upl_view_spec){.kind = UPL_VIEW_CLASS_TOP_K, .m = 5, .flags = UPL_FLAG_ALL}));
    UPL_TRY(open_global(run, "class_mean", (upl_view_spec){.kind = UPL_VIEW_CLASS_MEAN, .model = UPL_ENSEMBLE}));
    UPL_TRY(open_global(run, "class_mean of all", (upl_view_spec){.kind = UPL_VIEW_CLASS_MEAN, .flags = UPL_FLAG_ALL}));
    UPL_TRY(open_global(run, "quantile", (upl_view_spec){.kind = UPL_VIEW_QUANTILE, .model = 1, .m = 7, .class = UPL_QUANTILE_ENTROPY}));
    UPL_TRY(open_global(run, "quantile of a column", (upl_view_spec){.kind = UPL_VIEW_QUANTILE, .m = 7, .class = 1, .flags = UPL_FLAG_COLUMN}));
    return open_global(run, "quantile of all columns", (upl_view_spec){
        .kind = UPL_VIEW_QUANTILE, .model = UPL_ENSEMBLE, .m = 7, .flags = UPL_FLAG_COLUMN | UPL_FLAG_ALL, .temperature = 2});
}

static int32_t every_view_observe(upl_run *run, uint64_t first, uint32_t rows) {
    struct digests *self = run->state;
    for (uint32_t i = 0; i < self->batches; i++) {
        upl_view *view = &self->batch[i];
        UPL_TRY(upl_read(run, view, first, 0));
        UPL_ASSERT(view->count == 0);
        UPL_TRY(upl_read(run, view, first, rows));
        UPL_ASSERT(view->count == rows);
        self->sums[i] = digest(self->sums[i], view->floats, (size_t)view->count * view->record_size);
    }
    return 0;
}

/* records_of is how many records a global view has. */
static uint32_t records_of(const upl_run *run, const upl_view *view) {
    bool all = view->spec.flags & UPL_FLAG_ALL;
    switch (view->spec.kind) {
    case UPL_VIEW_CLASS_TOP_K: return run->data.classes * view->spec.m;
    case UPL_VIEW_CLASS_MEAN: return all ? 1 : run->data.classes;
    default: return all ? run->data.classes : view->spec.m + 1;
    }
}

static int32_t every_view_end_round(upl_run *run) {
    struct digests *self = run->state;
    for (uint32_t i = 0; i < self->batches; i++) UPL_TRY(record(self->batch_names[i], self->sums[i]));
    for (uint32_t i = 0; i < self->globals; i++) {
        upl_view *view = &self->global[i];
        UPL_TRY(upl_read(run, view, 0, records_of(run, view)));
        UPL_TRY(record(self->global_names[i], digest(14695981039346656037u, view->floats, (size_t)view->count * view->record_size)));
    }
    /* Each class's rows, the way that policies read them. */
    for (uint32_t c = 0; c < run->data.classes; c++) {
        UPL_TRY(upl_read_class(run, &self->global[0], c));
        for (uint32_t i = 0; i < self->global[0].count; i++) UPL_TRY(upl_emit(run, self->global[0].ranked[i].row, c, self->global[0].ranked[i].p));
    }
    return 0;
}

/* ---- every-kind: records of all kinds, in rounds; every sort of parameter. ---- */

struct kinds {
    upl_view previous, gather, stats;
    int64_t rounds;
    double share;
    bool drop;
    const char *word;
    const double *weights;
    uint32_t weight_count;
};

static int32_t every_kind_configure(upl_run *run) {
    struct kinds *self = run->state;
    UPL_TRY(upl_param_int(run, "rounds", &self->rounds));
    UPL_TRY(upl_param_float(run, "share", &self->share));
    UPL_TRY(upl_param_bool(run, "drop", &self->drop));
    UPL_TRY(upl_param_text(run, "word", &self->word));
    UPL_TRY(upl_param_floats(run, "weights", &self->weights, &self->weight_count));
    if (!upl_equal(self->word, "caf\xc3\xa9 \"\xf0\x9f\x98\x80\"")) return upl_unusable("word", "is another");
    if (!upl_takes(run, UPL_EMIT_SOFT)) return upl_fail(UPL_CODE_CONFIG, "a host that takes %s is needed", upl_emit_name(UPL_EMIT_SOFT));
    upl_log(UPL_LEVEL_WARN, "%s of %s: %g, %u weights, %lld rounds, prior %g", run->class_names[0], run->model_names[1],
        self->share, self->weight_count, (long long)self->rounds, run->prior ? run->prior[1] : 0);
    UPL_TRY(upl_open(run, &self->previous, (upl_view_spec){.kind = UPL_VIEW_PREVIOUS}));
    return upl_open(run, &self->gather, (upl_view_spec){.kind = UPL_VIEW_GATHER, .model = 1});
}

static int32_t every_kind_begin_round(upl_run *run) {
    struct kinds *self = run->state;
    UPL_TRY(upl_read(run, &self->previous, 0, 1000));
    UPL_TRY(record("previous", digest(14695981039346656037u, self->previous.emitted, (size_t)self->previous.count * self->previous.record_size)));
    UPL_TRY(upl_read(run, &self->gather, run->round, 2));
    UPL_TRY(record("gathered", digest(14695981039346656037u, self->gather.floats, 2 * self->gather.record_size)));
    if (run->round == 1) upl_skip_batches(run);
    return upl_open(run, &self->stats, (upl_view_spec){.kind = UPL_VIEW_STATS});
}

static int32_t emit_some(upl_run *run, uint64_t row, uint32_t class, float weight) {
    struct kinds *self = run->state;
    uint32_t other = (class + 1) % run->data.classes;
    float share = (float)self->share;
    const upl_candidate soft[] = {{other, 1 - share}, {class, share}};
    const uint32_t set[] = {class, other};
    switch (row % 4) {
    case 0: return upl_emit_soft(run, row, weight, soft, 2);
    case 1: return upl_emit_candidates(run, row, weight, set, 2);
    case 2: return self->drop ? upl_drop(run, row) : 0;
    default:
        UPL_TRY(upl_emit(run, row, other, weight / 2));
        return upl_emit(run, row, class, weight);
    }
}

static int32_t every_kind_observe(upl_run *run, uint64_t first, uint32_t rows) {
    struct kinds *self = run->state;
    UPL_TRY(upl_read(run, &self->stats, first, rows));
    for (uint32_t i = 0; i < rows; i++) {
        float weight = (float)self->weights[(first + i + run->round) % self->weight_count];
        UPL_TRY(emit_some(run, first + i, self->stats.stats[i].class, weight));
    }
    return 0;
}

static int32_t every_kind_end_round(upl_run *run) {
    const struct kinds *self = run->state;
    return run->round + 1 < self->rounds;
}

/* ---- half: an ensemble, the mean of the first two models. ---- */

struct half { upl_view models[2]; };

static int32_t half_configure(upl_run *run) {
    struct half *self = run->state;
    for (int32_t m = 0; m < 2; m++) UPL_TRY(upl_open(run, &self->models[m], (upl_view_spec){.kind = UPL_VIEW_ROWS, .model = m}));
    return 0;
}

static int32_t half_combine(upl_run *run, uint64_t first, uint32_t rows, float *output) {
    struct half *self = run->state;
    for (int m = 0; m < 2; m++) UPL_TRY(upl_read(run, &self->models[m], first, rows));
    for (uint32_t i = 0; i < rows * run->data.classes; i++) output[i] = (self->models[0].floats[i] + self->models[1].floats[i]) / 2;
    return 0;
}

/* ---- fault: whatever can go wrong. ---- */

static int32_t fault_end_round(upl_run *run) {
    const char *how;
    upl_view view = {0};
    UPL_TRY(upl_param_text(run, "how", &how));
    if (upl_equal(how, "assert")) UPL_ASSERT(run->data.classes == 0);
    if (upl_equal(how, "open late")) return upl_open(run, &view, (upl_view_spec){.kind = UPL_VIEW_STATS});
    if (upl_equal(how, "row")) return upl_emit(run, run->data.rows, 0, 1);
    if (upl_equal(how, "weight")) return upl_emit(run, 0, 0, -1);
    if (upl_equal(how, "soft")) return upl_emit_soft(run, 0, 1, &(upl_candidate){0, 0.5f}, 1);
    if (upl_equal(how, "twice")) {
        UPL_TRY(upl_drop(run, 0));
        return upl_emit(run, 0, 0, 1);
    }
    if (upl_equal(how, "metric")) return upl_metric("nan", 0.0 / 0.0);
    if (upl_equal(how, "data")) return upl_fail(UPL_CODE_DATA, "%u rows of %s, at %d%%", (unsigned)run->data.rows, "none", -5);
    if (upl_equal(how, "rounds")) return 1;
    if (upl_equal(how, "memory")) {
        for (size_t size = 1 << 20;; size *= 2) *(char *)upl_alloc(size) = 1;
    }
    return upl_unusable("how", "is unknown");
}

static int32_t fault_configure(upl_run *run) {
    upl_view view = {0};
    return upl_has(run, "denied") ? upl_open(run, &view, (upl_view_spec){.kind = UPL_VIEW_ROWS}) : 0;
}

static const upl_policy policies[] = {
    {
        .name = "every-view", .version = "1.0.0", .summary = "digests of \"all\" views",
        .needs = {UPL_VIEW_ROWS, UPL_VIEW_TOP_M, UPL_VIEW_STATS, UPL_VIEW_AGREE, UPL_VIEW_COLUMN, UPL_VIEW_CLASS_TOP_K, UPL_VIEW_CLASS_MEAN, UPL_VIEW_QUANTILE},
        .state_size = sizeof(struct digests),
        .configure = every_view_configure, .observe = every_view_observe, .end_round = every_view_end_round,
    },
    {
        .name = "every-kind", .version = "1.0.0", .summary = "records of all kinds",
        .parameters = "{\"type\": \"object\", \"properties\": {\"rounds\": {\"type\": \"integer\", \"default\": 3},"
                      " \"share\": {\"type\": \"number\", \"default\": 0.75}, \"drop\": {\"type\": \"boolean\", \"default\": true},"
                      " \"word\": {\"type\": \"string\", \"default\": \"caf\\u00e9 \\\"\\ud83d\\ude00\\\"\"},"
                      " \"weights\": {\"type\": \"array\", \"default\": [1, 0.5, 2.5e-1]}}}",
        .needs = {UPL_VIEW_PREVIOUS, UPL_VIEW_GATHER, UPL_VIEW_STATS}, .rounds = true, .state_size = sizeof(struct kinds),
        .configure = every_kind_configure, .begin_round = every_kind_begin_round,
        .observe = every_kind_observe, .end_round = every_kind_end_round,
    },
    {
        .name = "half", .version = "1.0.0", .summary = "the mean of two", .needs = {UPL_VIEW_ROWS},
        .state_size = sizeof(struct half), .configure = half_configure, .combine = half_combine,
    },
    {
        .name = "fault", .version = "1.0.0", .summary = "goes wrong",
        .parameters = "{\"type\": \"object\", \"properties\": {\"how\": {\"type\": \"string\"}}}",
        .needs = {UPL_VIEW_STATS}, .configure = fault_configure, .end_round = fault_end_round,
    },
};
UPL_PLUGIN(policies)
