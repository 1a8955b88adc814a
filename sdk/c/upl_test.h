/* upl_test.h: a host in memory, for the tests of a policy's author.
 *
 * Include it behind the plugin's own file, in a program that is compiled natively:
 *
 *     #include "decided.c"
 *     #include "upl_test.h"
 *
 *     int main(void) {
 *         const float p[] = {0.875f, 0.125f, 0.5f, 0.5f};
 *         upl_test t = {.rows = 2, .classes = 2, .p = {p}, .params = "{\"lead\": 0.5}"};
 *         UPL_EXPECT(upl_test_run(&t) == 0);
 *         UPL_EXPECT_LABELS(&t, {.row = 0, .class = 0, .weight = 1});
 *         return upl_test_end();
 *     }
 *
 *     clang -g -fsanitize=address,undefined -o decided_test decided_test.c -lm && ./decided_test
 *
 * It goes through the module's exported functions in the host's order, computes the
 * views of docs/plugin-abi.md, checks what is emitted as the host does, and fills in
 * the parameters' defaults. What it lacks: features (UPL_CODE_NOT_SUPPORTED), the limits
 * of a run, the check of parameters against their schema, and the host's random bytes
 * (they are as reproducible, but others). `upl-host plugin test` has all of it. */
#ifndef UPL_TEST_H
#define UPL_TEST_H

#include "upl_plugin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef UPL_PLUGIN_IMPLEMENTED
#error "include the plugin's own file first: it defines UPL_PLUGIN_IMPLEMENTATION"
#endif

enum { UPL_TEST_MODELS = 8 };

struct upl_test_metric { const char *name; double value; uint32_t round; };
struct upl_test_line { const char *text; int32_t level; uint32_t round; };

/* upl_test is a run: first what the policy is given, then what it made of that. */
typedef struct upl_test {
    const char *policy; /* name; null: the module's first */
    const char *params; /* a JSON object, without defaults perhaps; null: {} */
    uint32_t rows, classes;
    uint32_t models;                 /* 0: 1 */
    const float *p[UPL_TEST_MODELS]; /* rows x classes, of each model */
    const float *ensemble;           /* rows x classes; null: the models' mean */
    const char *const *class_names;  /* null: "class 0" … */
    const char *const *model_names;  /* null: empty ones */
    const double *prior;             /* classes; null: unknown */
    const double *logit_scales;      /* models; null: unknown */
    uint32_t batch_rows;             /* 0: 256 */
    uint32_t max_rounds;             /* 0: 100 */
    uint64_t seed;
    uint32_t takes; /* UPL_TAKES_…: what is taken beside hard labels */
    /* learn is called after a round that emitted, before the next: it may change p and
     * ensemble. null: all rounds see the same. */
    void (*learn)(struct upl_test *test);

    char message[1024];   /* of the error */
    upl_emitted *emitted; /* of the last round, a record a class, by row, then class */
    size_t emitted_count;
    float *combined; /* rows x classes, of an ensemble */
    uint32_t rounds; /* that there were */
    struct upl_test_metric *metrics;
    size_t metric_count;
    struct upl_test_line *log;
    size_t log_count;
} upl_test;

/* upl_test_run runs the policy: 0, or an error with its message. Results hold until
 * upl_test_end. */
static int32_t upl_test_run(upl_test *test);

/* upl_test_load fills in a run from a JSON file: {"classes": names, "models":
 * [[row, …], …], "ensemble": [row, …], "params": {…}, …}, of which it gives the root.
 * It ends the program where there is no such file. */
static const upl_json *upl_test_load(upl_test *test, const char *path);

/* upl_test_metric_of is a metric's value, the last one; NaN without. */
static double upl_test_metric_of(const upl_test *test, const char *name);

/* UPL_EXPECT tells of a condition that does not hold, and goes on. */
#define UPL_EXPECT(condition) upl_test_expect((condition), #condition, __FILE__, __LINE__)

/* UPL_EXPECT_LABELS tells of hard labels that are not those given, by row and class. */
#define UPL_EXPECT_LABELS(test, ...) \
    upl_test_expect_labels((test), (upl_label[]){__VA_ARGS__}, \
        sizeof(upl_label[]){__VA_ARGS__} / sizeof(upl_label), __FILE__, __LINE__)

/* upl_test_end frees everything, and is the program's exit status. */
static int upl_test_end(void);

/* ---- Memory: each block of its own, so that the sanitizers see its bounds. ---- */

struct upl_test_block { struct upl_test_block *next; void *memory; };
static struct upl_test_block *upl_test_blocks;
static int upl_test_failures;

void *upl_alloc(size_t size) {
    struct upl_test_block *block = malloc(sizeof *block);
    void *memory = calloc(1, size ? size : 1);
    if (!block || !memory) abort();
    *block = (struct upl_test_block){upl_test_blocks, memory};
    upl_test_blocks = block;
    return memory;
}

void *upl_realloc(void *memory, size_t old_size, size_t new_size) {
    if (new_size <= old_size) return memory;
    void *larger = upl_alloc(new_size);
    if (old_size) memcpy(larger, memory, old_size);
    return larger;
}

static __attribute__((unused)) int upl_test_end(void) {
    while (upl_test_blocks) {
        struct upl_test_block *block = upl_test_blocks;
        upl_test_blocks = block->next;
        free(block->memory);
        free(block);
    }
    if (upl_test_failures) fprintf(stderr, "%d expectations do not hold\n", upl_test_failures);
    return upl_test_failures != 0;
}

/* upl_test_grown is an array with room for one element more. */
static void *upl_test_grown(void *array, size_t count, size_t size) {
    if (count & (count - 1)) return array; /* it doubles at powers of two */
    return upl_realloc(array, count * size, count ? 2 * count * size : size);
}

/* ---- The run. ---- */

enum upl_test_stage { UPL_TEST_DESCRIBING, UPL_TEST_CONFIGURING, UPL_TEST_BEGINNING, UPL_TEST_OBSERVING, UPL_TEST_ENDING, UPL_TEST_COMBINING };

struct upl_test_view {
    upl_view_spec spec;
    bool of_round;    /* opened in begin_round */
    uint32_t size;    /* bytes of a record */
    uint32_t records;
    char *data;       /* all of them */
};

static struct {
    upl_test *test;
    const upl_policy *policy;
    enum upl_test_stage stage;
    uint32_t round;
    uint64_t first; /* of the batch */
    uint32_t rows, done;
    struct upl_test_view views[256];
    int32_t view_count;
    const upl_emitted *previous;
    size_t previous_count;
    uint8_t *kinds; /* of each row's records */
    int32_t failed; /* the code of fail */
    char detail[1024], breach[1024];
    uint64_t random;
    const upl_json *manifest;
} upl_host;

/* upl_test_breach is the first record that the host cannot take: the run ends. */
static __attribute__((format(printf, 1, 2))) int32_t upl_test_breach(const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (!upl_host.breach[0]) vsnprintf(upl_host.breach, sizeof upl_host.breach, format, list);
    va_end(list);
    return UPL_CODE_INVALID;
}

/* upl_test_after is what comes of a call's result; most is 0 or 1. */
static int32_t upl_test_after(const char *call, int32_t result, int32_t most) {
    if (!upl_host.breach[0] && result > most) upl_test_breach("%s returned %d", call, result);
    if (upl_host.breach[0]) {
        snprintf(upl_host.test->message, sizeof upl_host.test->message, "%s", upl_host.breach);
        return UPL_CODE_INVALID;
    }
    if (result < 0) {
        const char *said = upl_host.failed == result ? upl_host.detail : upl_code_name(result);
        snprintf(upl_host.test->message, sizeof upl_host.test->message, "%s", said);
    }
    upl_host.failed = 0;
    return result;
}

/* ---- Probabilities and views, as docs/plugin-abi.md defines them. ---- */

/* upl_test_row copies a row, at the view's temperature. */
static void upl_test_row(const upl_view_spec *spec, uint32_t row, float *p) {
    const upl_test *t = upl_host.test;
    const float *from = spec->model >= 0 ? t->p[spec->model] : t->ensemble;
    double sum, most = -INFINITY;
    for (uint32_t c = 0; c < t->classes; c++) {
        size_t at = (size_t)row * t->classes + c;
        if (from) {
            p[c] = from[at];
            continue;
        }
        sum = 0;
        for (uint32_t m = 0; m < t->models; m++) sum += (double)t->p[m][at];
        p[c] = (float)(sum / t->models);
    }
    if (spec->temperature == 0) return;
    double *z = calloc(t->classes, sizeof *z);
    if (!z) abort();
    sum = 0;
    for (uint32_t c = 0; c < t->classes; c++) {
        z[c] = log(fmax((double)p[c], 0x1p-126)) / (double)spec->temperature;
        most = fmax(most, z[c]);
    }
    for (uint32_t c = 0; c < t->classes; c++) sum += z[c] = exp(z[c] - most);
    for (uint32_t c = 0; c < t->classes; c++) p[c] = (float)(z[c] / sum);
    free(z);
}

/* upl_test_stats looks at a row; the entropy is not always wanted. */
static upl_stats upl_test_stats(const float *p, bool entropy) {
    upl_stats s = {.p = p[0], .margin = p[0]};
    float second = -1;
    double h = 0;
    for (uint32_t c = 1; c < upl_host.test->classes; c++) {
        if (p[c] > s.p) {
            second = s.p;
            s.p = p[c];
            s.class = c;
        } else if (p[c] > second) {
            second = p[c];
        }
        s.margin = s.p - second;
    }
    for (uint32_t c = 0; entropy && c < upl_host.test->classes; c++) {
        if (p[c] > 0) h -= (double)p[c] * log(fmax((double)p[c], 0x1p-126));
    }
    s.entropy = (float)h;
    return s;
}

static int upl_test_by_p(const void *a, const void *b) {
    const upl_candidate *x = a, *y = b;
    if (x->p != y->p) return x->p > y->p ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

static void upl_test_top_m(const float *p, upl_candidate *to, uint32_t m) {
    uint32_t classes = upl_host.test->classes;
    upl_candidate *all = calloc(classes, sizeof *all);
    if (!all) abort();
    for (uint32_t c = 0; c < classes; c++) all[c] = (upl_candidate){c, p[c]};
    qsort(all, classes, sizeof *all, upl_test_by_p);
    memcpy(to, all, m * sizeof *all);
    free(all);
}

struct upl_test_rank { float p, margin; uint32_t row; };

static int upl_test_by_rank(const void *a, const void *b) {
    const struct upl_test_rank *x = a, *y = b;
    if (x->p != y->p) return x->p > y->p ? -1 : 1;
    if (x->margin != y->margin) return x->margin > y->margin ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* upl_test_class_top_k ranks the rows of each class. p is room for a row, in these. */
static void upl_test_class_top_k(struct upl_test_view *v, float *p) {
    const upl_test *t = upl_host.test;
    struct upl_test_rank *ranks = upl_alloc(t->rows * sizeof *ranks);
    upl_ranked *to = (upl_ranked *)v->data;
    for (uint32_t c = 0; c < t->classes; c++) {
        uint32_t n = 0;
        for (uint32_t row = 0; row < t->rows; row++) {
            upl_test_row(&v->spec, row, p);
            upl_stats s = upl_test_stats(p, false);
            if (s.class == c) ranks[n++] = (struct upl_test_rank){s.p, s.margin, row};
            else if (v->spec.flags & UPL_FLAG_ALL) ranks[n++] = (struct upl_test_rank){p[c], p[c] - s.p, row};
        }
        qsort(ranks, n, sizeof *ranks, upl_test_by_rank);
        for (uint32_t i = 0; i < v->spec.m; i++) {
            *to++ = i < n ? (upl_ranked){.row = ranks[i].row, .p = ranks[i].p} : (upl_ranked){.row = UPL_NO_ROW};
        }
    }
}

static void upl_test_class_mean(struct upl_test_view *v, float *p) {
    const upl_test *t = upl_host.test;
    for (uint32_t row = 0; row < t->rows; row++) {
        upl_test_row(&v->spec, row, p);
        uint32_t class = v->records == 1 ? 0 : upl_test_stats(p, false).class;
        double *record = (double *)(v->data + (size_t)class * v->size);
        record[0]++;
        for (uint32_t c = 0; c < t->classes; c++) record[1 + c] += (double)p[c];
    }
}

static int upl_test_ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* upl_test_quantiles writes m + 1 of them, of a column or a statistic. */
static void upl_test_quantiles(const upl_view_spec *spec, uint32_t column, double *to, float *p) {
    uint32_t n = upl_host.test->rows;
    float *x = upl_alloc(n * sizeof *x);
    for (uint32_t row = 0; row < n; row++) {
        upl_test_row(spec, row, p);
        upl_stats s = upl_test_stats(p, spec->class == UPL_QUANTILE_ENTROPY);
        const float statistics[] = {s.p, s.margin, s.entropy};
        x[row] = spec->flags & UPL_FLAG_COLUMN ? p[column] : statistics[spec->class];
    }
    qsort(x, n, sizeof *x, upl_test_ascending);
    for (uint32_t i = 0; i <= spec->m; i++) {
        double h = (double)i / spec->m * ((double)n - 1);
        uint32_t low = n ? (uint32_t)h : 0, high = low + 1 < n ? low + 1 : low;
        to[i] = n ? (double)x[low] + ((double)x[high] - (double)x[low]) * (h - low) : NAN;
    }
}

/* upl_test_fill computes a view, all of it. */
static void upl_test_fill(struct upl_test_view *v) {
    const upl_test *t = upl_host.test;
    const upl_view_spec *s = &v->spec;
    float *p = upl_alloc(t->classes * sizeof *p);
    v->data = upl_alloc((size_t)v->records * v->size);
    switch (s->kind) {
    case UPL_VIEW_CLASS_TOP_K: upl_test_class_top_k(v, p); return;
    case UPL_VIEW_CLASS_MEAN: upl_test_class_mean(v, p); return;
    case UPL_VIEW_QUANTILE:
        if (!(s->flags & UPL_FLAG_ALL)) upl_test_quantiles(s, s->class, (double *)v->data, p);
        for (uint32_t c = 0; s->flags & UPL_FLAG_ALL && c < t->classes; c++) {
            upl_test_quantiles(s, c, (double *)(v->data + (size_t)c * v->size), p);
        }
        return;
    case UPL_VIEW_PREVIOUS:
        if (v->records) memcpy(v->data, upl_host.previous, (size_t)v->records * v->size);
        return;
    default: break;
    }
    for (uint32_t row = 0; row < t->rows; row++) {
        char *to = v->data + (size_t)row * v->size;
        upl_test_row(s, row, p);
        upl_stats stats = upl_test_stats(p, !(s->flags & UPL_FLAG_NO_ENTROPY));
        switch (s->kind) {
        case UPL_VIEW_TOP_M: upl_test_top_m(p, (upl_candidate *)to, s->m); break;
        case UPL_VIEW_STATS: memcpy(to, &stats, sizeof stats); break;
        case UPL_VIEW_COLUMN: memcpy(to, p + s->class, sizeof *p); break;
        case UPL_VIEW_AGREE:
            for (uint32_t m = 0; m < t->models; m++) {
                upl_test_row(&(upl_view_spec){.model = (int32_t)m}, row, p);
                stats = upl_test_stats(p, false);
                ((upl_candidate *)to)[m] = (upl_candidate){stats.class, stats.p};
            }
            break;
        default: memcpy(to, p, v->size);
        }
    }
}

/* ---- The host's functions. ---- */

int32_t upl_host_fail(int32_t code, const void *text, int32_t size) {
    upl_host.failed = code;
    snprintf(upl_host.detail, sizeof upl_host.detail, "%.*s", size, (const char *)text);
    return 0;
}

int32_t upl_host_put_manifest(const void *text, int32_t size) {
    if (upl_host.stage != UPL_TEST_DESCRIBING || upl_host.manifest) return UPL_CODE_STATE;
    size_t at;
    char *copy = upl_alloc((size_t)size);
    memcpy(copy, text, (size_t)size);
    upl_host.manifest = upl_json_parse(copy, (size_t)size, &at);
    if (upl_host.manifest) return 0;
    return upl_test_breach("the description is no JSON, at %.40s", copy + at);
}

static void upl_test_strings(struct upl_text *t, const char *key, const char *const *strings, uint32_t n, const char *otherwise) {
    upl_puts(t, key);
    for (uint32_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, otherwise, i);
        if (i) upl_put(t, ',');
        upl_quote(t, strings ? strings[i] : name);
    }
    upl_put(t, ']');
}

static void upl_test_numbers(struct upl_text *t, const char *key, const double *numbers, uint32_t n) {
    if (!numbers) return;
    upl_puts(t, key);
    for (uint32_t i = 0; i < n; i++) {
        char number[32];
        snprintf(number, sizeof number, i ? ",%.17g" : "%.17g", numbers[i]);
        upl_puts(t, number);
    }
    upl_put(t, ']');
}

/* upl_test_put_params writes the parameters, with the schema's defaults. */
static void upl_test_put_params(struct upl_text *t) {
    const char *given = upl_host.test->params ? upl_host.test->params : "{}", *schema = upl_host.policy->parameters;
    const upl_json *params = upl_json_parse(given, strlen(given), NULL);
    const upl_json *properties = schema ? upl_json_get(upl_json_parse(schema, strlen(schema), NULL), "properties") : NULL;
    bool more = false;
    upl_put(t, '{');
    for (const upl_json *v = params ? params->first : NULL; v; v = v->next, more = true) {
        if (more) upl_put(t, ',');
        upl_quote(t, v->name);
        upl_put(t, ':');
        for (size_t i = 0; i < v->source_size; i++) upl_put(t, v->source[i]);
    }
    for (const upl_json *v = properties ? properties->first : NULL; v; v = v->next) {
        const upl_json *otherwise = upl_json_get(v, "default");
        if (!otherwise || upl_json_get(params, v->name)) continue;
        if (more) upl_put(t, ',');
        more = true;
        upl_quote(t, v->name);
        upl_put(t, ':');
        for (size_t i = 0; i < otherwise->source_size; i++) upl_put(t, otherwise->source[i]);
    }
    upl_put(t, '}');
}

int32_t upl_host_get_config(void *memory, int32_t size) {
    const upl_test *test = upl_host.test;
    if (upl_host.stage == UPL_TEST_DESCRIBING) return UPL_CODE_STATE;
    struct upl_text t = {.grows = true};
    upl_test_strings(&t, "{\"dataset\":{\"class_names\":[", test->class_names, test->classes, "class %u");
    upl_test_numbers(&t, ",\"logit_scales\":[", test->logit_scales, test->models);
    upl_test_strings(&t, ",\"model_names\":[", test->model_names, test->models, "");
    upl_test_numbers(&t, ",\"prior\":[", test->prior, test->classes);
    upl_puts(&t, "},\"params\":");
    upl_test_put_params(&t);
    upl_puts(&t, ",\"policy\":");
    upl_quote(&t, upl_host.policy->name);
    upl_put(&t, '}');
    if (size >= (int32_t)t.size) memcpy(memory, t.data, t.size);
    return (int32_t)t.size;
}

int32_t upl_host_get_dataset(void *memory, int32_t size) {
    const upl_test *t = upl_host.test;
    if (upl_host.stage == UPL_TEST_DESCRIBING) return UPL_CODE_STATE;
    upl_dataset d = {
        .size = UPL_SIZE_DATASET, .flags = t->takes | (t->learn ? UPL_RETRAINS : 0u), .rows = t->rows,
        .classes = t->classes, .models = t->models, .batch_rows = t->batch_rows, .round = upl_host.round,
        .max_rounds = t->max_rounds, .seed = t->seed,
    };
    if (size >= UPL_SIZE_DATASET) memcpy(memory, &d, UPL_SIZE_DATASET);
    return UPL_SIZE_DATASET;
}

static bool upl_test_declares(uint16_t kind) {
    const upl_policy *p = upl_host.policy;
    for (size_t i = 0; i < sizeof p->needs / sizeof *p->needs && p->needs[i]; i++) {
        if (p->needs[i] == kind) return true;
    }
    return false;
}

/* upl_test_flags are those that a kind of view knows. */
static uint32_t upl_test_flags(uint16_t kind) {
    switch (kind) {
    case UPL_VIEW_CLASS_TOP_K:
    case UPL_VIEW_CLASS_MEAN: return UPL_FLAG_ALL;
    case UPL_VIEW_STATS: return UPL_FLAG_NO_ENTROPY;
    case UPL_VIEW_QUANTILE: return UPL_FLAG_COLUMN | UPL_FLAG_ALL;
    default: return 0;
    }
}

/* upl_test_shape checks what is a kind's own, and finds its records. */
static int32_t upl_test_shape(struct upl_test_view *v) {
    const upl_test *t = upl_host.test;
    const upl_view_spec *s = &v->spec;
    bool all = s->flags & UPL_FLAG_ALL, column = s->flags & UPL_FLAG_COLUMN;
    v->records = t->rows;
    switch (s->kind) {
    case UPL_VIEW_ROWS:
    case UPL_VIEW_GATHER: v->size = 4 * t->classes; return 0;
    case UPL_VIEW_TOP_M: v->size = UPL_SIZE_CANDIDATE * s->m; return s->m < 1 || s->m > t->classes ? UPL_CODE_RANGE : 0;
    case UPL_VIEW_STATS: v->size = UPL_SIZE_STATS; return 0;
    case UPL_VIEW_AGREE: v->size = UPL_SIZE_CANDIDATE * t->models; return s->temperature != 0 ? UPL_CODE_INVALID : 0;
    case UPL_VIEW_COLUMN: v->size = 4; return s->class >= t->classes ? UPL_CODE_RANGE : 0;
    case UPL_VIEW_CLASS_TOP_K: v->size = UPL_SIZE_RANKED, v->records = t->classes * s->m; return s->m < 1 ? UPL_CODE_RANGE : 0;
    case UPL_VIEW_CLASS_MEAN: v->size = 8 * (1 + t->classes), v->records = all ? 1 : t->classes; return 0;
    case UPL_VIEW_QUANTILE:
        v->size = all ? 8 * (s->m + 1) : 8;
        v->records = all ? t->classes : s->m + 1;
        if (s->m < 1 || s->m > 1u << 20) return UPL_CODE_RANGE;
        if (!column && (all || s->class > UPL_QUANTILE_ENTROPY)) return UPL_CODE_RANGE;
        return (column && !all && s->class >= t->classes) || (all && s->class) ? UPL_CODE_RANGE : 0;
    case UPL_VIEW_PREVIOUS:
        v->size = UPL_SIZE_EMITTED;
        return upl_host.policy->combine ? UPL_CODE_NOT_SUPPORTED : s->temperature != 0 ? UPL_CODE_INVALID : 0;
    default: return UPL_CODE_NOT_SUPPORTED;
    }
}

int32_t upl_host_open_view(const void *spec, int32_t size) {
    struct upl_test_view v = {.of_round = upl_host.stage == UPL_TEST_BEGINNING};
    if (upl_host.stage != UPL_TEST_CONFIGURING && upl_host.stage != UPL_TEST_BEGINNING) return UPL_CODE_STATE;
    if (size < UPL_SIZE_VIEW_SPEC) return UPL_CODE_INVALID;
    memcpy(&v.spec, spec, sizeof v.spec);
    const upl_view_spec *s = &v.spec;
    if (s->size < UPL_SIZE_VIEW_SPEC || s->reserved[0] || s->reserved[1]) return UPL_CODE_INVALID;
    if (upl_host.view_count == 256) return UPL_CODE_LIMIT;
    if (s->kind < UPL_VIEW_ROWS || s->kind > UPL_VIEW_FEATURES) return UPL_CODE_NOT_SUPPORTED;
    if (!upl_test_declares(s->kind)) return UPL_CODE_DENIED;
    if (s->model < UPL_ENSEMBLE || s->model >= (int32_t)upl_host.test->models) return UPL_CODE_RANGE;
    if (s->flags & ~upl_test_flags(s->kind)) return UPL_CODE_INVALID;
    if (!(s->temperature >= 0) || isinf(s->temperature)) return UPL_CODE_RANGE;
    UPL_TRY(upl_test_shape(&v));
    upl_host.views[upl_host.view_count] = v;
    return upl_host.view_count++;
}

int32_t upl_host_read_view(int32_t handle, int64_t first, int32_t n, void *memory, int32_t size) {
    if (handle < 0 || handle >= upl_host.view_count) return UPL_CODE_RANGE;
    struct upl_test_view *v = &upl_host.views[handle];
    bool batch = upl_host.stage == UPL_TEST_OBSERVING || upl_host.stage == UPL_TEST_COMBINING;
    int64_t begin = 0, end = v->records;
    switch (v->spec.kind) {
    case UPL_VIEW_CLASS_TOP_K:
    case UPL_VIEW_CLASS_MEAN:
    case UPL_VIEW_QUANTILE:
        if (upl_host.stage != UPL_TEST_ENDING) return UPL_CODE_STATE;
        break;
    case UPL_VIEW_PREVIOUS: end = (int64_t)upl_host.previous_count; /* fall through */
    case UPL_VIEW_GATHER:
        if (upl_host.stage < UPL_TEST_BEGINNING) return UPL_CODE_STATE;
        break;
    default:
        if (!batch) return UPL_CODE_STATE;
        begin = (int64_t)upl_host.first, end = begin + upl_host.rows;
    }
    if (v->spec.kind == UPL_VIEW_PREVIOUS && first >= 0 && n > 0) {
        first = first < end ? first : end;
        n = (int32_t)(n < end - first ? n : end - first);
    }
    if (n < 0 || first < begin || first > end - n) return UPL_CODE_RANGE;
    int64_t bytes = (int64_t)n * v->size;
    if (bytes > INT32_MAX) return UPL_CODE_RANGE;
    if (bytes > size) return (int32_t)bytes;
    if (!v->data) {
        v->records = (uint32_t)(v->spec.kind == UPL_VIEW_PREVIOUS ? upl_host.previous_count : v->records);
        upl_test_fill(v);
    }
    if (bytes) memcpy(memory, v->data + (size_t)first * v->size, (size_t)bytes);
    return (int32_t)bytes;
}

/* ---- Results. ---- */

/* upl_test_add keeps a class of a record. */
static void upl_test_add(upl_emitted e) {
    upl_test *t = upl_host.test;
    t->emitted = upl_test_grown(t->emitted, t->emitted_count, sizeof e);
    t->emitted[t->emitted_count++] = e;
}

/* upl_test_claim checks a record's row and weight. */
static int32_t upl_test_claim(int32_t kind, uint64_t row, float weight) {
    const char *name = upl_emit_name(kind);
    if (row >= upl_host.test->rows) return upl_test_breach("%s: row %llu of %u", name, (unsigned long long)row, upl_host.test->rows);
    if (!(weight >= 0 && weight <= 1000)) return upl_test_breach("%s: weight %g for row %llu; weights are 0 to 1000", name, (double)weight, (unsigned long long)row);
    uint8_t before = upl_host.kinds[row];
    if (before && (kind != UPL_EMIT_HARD || before != kind)) {
        return upl_test_breach("row %llu has %s, and %s", (unsigned long long)row, upl_emit_name(before), name);
    }
    upl_host.kinds[row] = (uint8_t)kind;
    return 0;
}

static int32_t upl_test_class(int32_t kind, uint64_t row, uint32_t class) {
    if (class < upl_host.test->classes) return 0;
    return upl_test_breach("%s: class %u of %u, for row %llu", upl_emit_name(kind), class, upl_host.test->classes, (unsigned long long)row);
}

static int32_t upl_test_hard(const upl_label *l) {
    if (l->flags || l->reserved) return upl_test_breach("hard labels: reserved fields set, for row %llu", (unsigned long long)l->row);
    UPL_TRY(upl_test_class(UPL_EMIT_HARD, l->row, l->class));
    UPL_TRY(upl_test_claim(UPL_EMIT_HARD, l->row, l->weight));
    upl_test_add((upl_emitted){.row = l->row, .class = l->class, .weight = l->weight, .kind = UPL_EMIT_HARD});
    return 0;
}

/* upl_test_set takes a soft label or candidate set of n classes. */
static int32_t upl_test_set(int32_t kind, uint64_t row, float weight, const char *classes, uint32_t n) {
    double sum = 0;
    UPL_TRY(upl_test_claim(kind, row, weight));
    for (uint32_t i = 0; i < n; i++) {
        upl_candidate c = {0, 0};
        if (kind == UPL_EMIT_SOFT) memcpy(&c, classes + i * sizeof c, sizeof c);
        else memcpy(&c.class, classes + i * sizeof c.class, sizeof c.class);
        UPL_TRY(upl_test_class(kind, row, c.class));
        if (!(c.p >= 0) || isinf(c.p)) return upl_test_breach("soft labels: class %u has probability %g, for row %llu", c.class, (double)c.p, (unsigned long long)row);
        sum += (double)c.p;
        upl_test_add((upl_emitted){.row = row, .class = c.class, .weight = weight, .kind = kind, .p = c.p});
    }
    if (kind == UPL_EMIT_SOFT && !(fabs(sum - 1) <= 1e-3)) {
        return upl_test_breach("soft labels: probabilities sum to %g, not 1, for row %llu", sum, (unsigned long long)row);
    }
    return 0;
}

/* upl_test_record takes a record, and gives its size. */
static int32_t upl_test_record(int32_t kind, const char *records, size_t size) {
    struct { uint64_t row; float weight; uint32_t n; } head;
    const size_t least = kind == UPL_EMIT_HARD ? UPL_SIZE_LABEL : kind == UPL_EMIT_DROP ? UPL_SIZE_DROP : UPL_SIZE_HEAD;
    if (size < least) return upl_test_breach("%zu bytes of %s, which have %zu", size, upl_emit_name(kind), least);
    if (kind == UPL_EMIT_HARD) {
        upl_label l;
        memcpy(&l, records, sizeof l);
        UPL_TRY(upl_test_hard(&l));
        return UPL_SIZE_LABEL;
    }
    memcpy(&head, records, least);
    if (kind == UPL_EMIT_DROP) {
        UPL_TRY(upl_test_claim(kind, head.row, 0));
        upl_test_add((upl_emitted){.row = head.row, .class = UPL_NO_CLASS, .kind = kind});
        return UPL_SIZE_DROP;
    }
    size_t all = UPL_SIZE_HEAD + (size_t)head.n * (kind == UPL_EMIT_SOFT ? UPL_SIZE_CANDIDATE : 4);
    if (head.n < 1 || head.n > upl_host.test->classes || size < all) {
        return upl_test_breach("%s: %u classes of %u in %zu bytes", upl_emit_name(kind), head.n, upl_host.test->classes, size);
    }
    UPL_TRY(upl_test_set(kind, head.row, head.weight, records + UPL_SIZE_HEAD, head.n));
    return (int32_t)all;
}

static int32_t upl_test_emit_combined(const char *records, size_t size) {
    const upl_test *t = upl_host.test;
    struct { uint64_t first; uint32_t rows, classes; } head;
    if (upl_host.stage != UPL_TEST_COMBINING) return UPL_CODE_STATE;
    if (size < sizeof head) return upl_test_breach("%zu bytes of probabilities", size);
    memcpy(&head, records, sizeof head);
    if (head.first != upl_host.first + upl_host.done || head.rows > upl_host.rows - upl_host.done || head.classes != t->classes
        || size != sizeof head + sizeof(float) * head.rows * head.classes) {
        return upl_test_breach("probabilities of %u x %u from %llu on in %zu bytes", head.rows, head.classes, (unsigned long long)head.first, size);
    }
    float *to = t->combined + head.first * t->classes;
    memcpy(to, records + sizeof head, size - sizeof head);
    for (uint32_t row = 0; row < head.rows; row++, to += t->classes) {
        double sum = 0;
        bool sound = true;
        for (uint32_t c = 0; c < t->classes; c++) sum += (double)to[c], sound = sound && to[c] >= 0;
        if (!sound || !(fabs(sum - 1) <= 1e-2)) return upl_test_breach("combined row %llu sums to %g", (unsigned long long)head.first + row, sum);
    }
    upl_host.done += head.rows;
    return 0;
}

int32_t upl_host_emit(int32_t kind, const void *records, int32_t size) {
    const uint32_t takes[] = {0, 0, UPL_TAKES_SOFT, UPL_TAKES_CANDIDATES, UPL_TAKES_DROPS};
    const char *at = records, *end = at + size;
    if (kind == UPL_EMIT_COMBINED) return upl_test_emit_combined(records, (size_t)size);
    if (kind < UPL_EMIT_HARD || kind > UPL_EMIT_DROP) return upl_test_breach("emit kind %d", kind);
    if (takes[kind] & ~upl_host.test->takes) return UPL_CODE_NOT_SUPPORTED;
    if (upl_host.policy->combine || (upl_host.stage != UPL_TEST_OBSERVING && upl_host.stage != UPL_TEST_ENDING)) return UPL_CODE_STATE;
    while (at < end) {
        int32_t taken = upl_test_record(kind, at, (size_t)(end - at));
        UPL_TRY(taken);
        at += taken;
    }
    return 0;
}

int32_t upl_host_log_enabled(int32_t level) {
    (void)level;
    return upl_host.stage != UPL_TEST_DESCRIBING;
}

static char *upl_test_copy(const void *text, int32_t size) {
    char *copy = upl_alloc((size_t)size + 1);
    memcpy(copy, text, (size_t)size);
    return copy;
}

int32_t upl_host_log(int32_t level, const void *text, int32_t size) {
    upl_test *t = upl_host.test;
    if (upl_host.stage == UPL_TEST_DESCRIBING) return UPL_CODE_STATE;
    t->log = upl_test_grown(t->log, t->log_count, sizeof *t->log);
    t->log[t->log_count++] = (struct upl_test_line){upl_test_copy(text, size), level, upl_host.round};
    return 0;
}

int32_t upl_host_metric(const void *name, int32_t size, double value) {
    upl_test *t = upl_host.test;
    if (upl_host.stage == UPL_TEST_DESCRIBING) return UPL_CODE_STATE;
    if (size < 1 || size > 256 || !isfinite(value)) return UPL_CODE_INVALID;
    t->metrics = upl_test_grown(t->metrics, t->metric_count, sizeof *t->metrics);
    t->metrics[t->metric_count++] = (struct upl_test_metric){upl_test_copy(name, size), value, upl_host.round};
    return 0;
}

int32_t upl_host_random(void *memory, int32_t size) {
    if (upl_host.stage == UPL_TEST_DESCRIBING) return UPL_CODE_STATE;
    for (int32_t i = 0; i < size; i++) { /* splitmix64 */
        uint64_t z = upl_host.random += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        ((uint8_t *)memory)[i] = (uint8_t)(z ^ z >> 31);
    }
    return 0;
}

/* ---- The order of calls. ---- */

static int upl_test_by_row(const void *a, const void *b) {
    const upl_emitted *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

/* upl_test_sort sorts what a round emitted; no class of a row is there twice. */
static int32_t upl_test_sort(upl_test *t) {
    if (!t->emitted_count) return 0;
    qsort(t->emitted, t->emitted_count, sizeof *t->emitted, upl_test_by_row);
    for (size_t i = 1; i < t->emitted_count; i++) {
        const upl_emitted *e = &t->emitted[i];
        if (upl_test_by_row(e - 1, e) == 0) {
            upl_test_breach("%s: class %u twice, for row %llu", upl_emit_name(e->kind), e->class, (unsigned long long)e->row);
        }
    }
    return upl_test_after("the selection", 0, 0);
}

/* upl_test_batches calls for every batch. */
static int32_t upl_test_batches(upl_test *t, enum upl_test_stage stage) {
    upl_host.stage = stage;
    for (uint32_t first = 0; first < t->rows; first += upl_host.rows) {
        upl_host.first = first;
        upl_host.rows = t->rows - first < t->batch_rows ? t->rows - first : t->batch_rows;
        upl_host.done = 0;
        int32_t result = stage == UPL_TEST_OBSERVING ? upl_observe(first, (int32_t)upl_host.rows) : upl_combine(first, (int32_t)upl_host.rows);
        if (stage == UPL_TEST_COMBINING && result == 0 && upl_host.done != upl_host.rows) {
            upl_test_breach("combined %u of %u rows from %u on", upl_host.done, upl_host.rows, first);
        }
        UPL_TRY(upl_test_after(stage == UPL_TEST_OBSERVING ? "upl_observe" : "upl_combine", result, 0));
    }
    return 0;
}

/* upl_test_round runs one: 0, 1 for another, or an error. */
static int32_t upl_test_round(upl_test *t) {
    int32_t kept = 0;
    for (int32_t i = 0; i < upl_host.view_count; i++) { /* those of the round are gone */
        if (!upl_host.views[i].of_round) upl_host.views[kept++] = upl_host.views[i];
    }
    for (upl_host.view_count = kept; kept > 0;) upl_host.views[--kept].data = NULL;
    t->emitted = NULL;
    t->emitted_count = 0;
    upl_host.kinds = upl_alloc(t->rows);
    upl_host.random = t->seed ^ (uint64_t)upl_host.round << 32;
    upl_host.stage = UPL_TEST_BEGINNING;
    int32_t skip = upl_test_after("upl_begin_round", upl_begin_round((int32_t)upl_host.round), 1);
    UPL_TRY(skip);
    if (!skip) UPL_TRY(upl_test_batches(t, UPL_TEST_OBSERVING));
    upl_host.stage = UPL_TEST_ENDING;
    int32_t another = upl_test_after("upl_end_round", upl_end_round((int32_t)upl_host.round), 1);
    UPL_TRY(another);
    UPL_TRY(upl_test_sort(t));
    t->rounds++;
    if (another && !upl_host.policy->rounds) upl_test_breach("it asks for another round without having declared that it needs rounds");
    if (another && t->rounds == t->max_rounds) upl_test_breach("not done after %u rounds", t->rounds);
    UPL_TRY(upl_test_after("upl_end_round", 0, 0));
    if (another && t->emitted_count) {
        upl_host.previous = t->emitted;
        upl_host.previous_count = t->emitted_count;
        if (t->learn) t->learn(t);
    }
    return another;
}

static int32_t upl_test_run(upl_test *t) {
    memset(&upl_host, 0, sizeof upl_host);
    upl_host.test = t;
    t->models = t->models ? t->models : 1;
    t->batch_rows = t->batch_rows ? t->batch_rows : 256;
    t->max_rounds = t->max_rounds ? t->max_rounds : 100;
    t->metric_count = t->log_count = t->emitted_count = t->rounds = 0;
    t->message[0] = 0;
    t->combined = upl_alloc(sizeof(float) * t->rows * t->classes);
    UPL_TRY(upl_test_after("upl_describe", upl_describe(), 0));
    for (size_t i = upl_policy_count; i-- > 0;) {
        if (!t->policy || strcmp(t->policy, upl_policies[i].name) == 0) upl_host.policy = &upl_policies[i];
    }
    if (!upl_host.policy) return upl_test_after("", upl_fail(UPL_CODE_CONFIG, "there is no policy %s", t->policy), 0);
    upl_host.stage = UPL_TEST_CONFIGURING;
    UPL_TRY(upl_test_after("upl_configure", upl_configure(), 0));
    int32_t another = 1;
    for (; another > 0; upl_host.round++) another = upl_test_round(t);
    UPL_TRY(another);
    upl_host.round--; /* combining is still of the last */
    return upl_host.policy->combine ? upl_test_batches(t, UPL_TEST_COMBINING) : 0;
}

/* ---- Expectations, and cases in files. ---- */

static __attribute__((unused)) void upl_test_expect(bool holds, const char *condition, const char *file, int line) {
    if (holds) return;
    upl_test_failures++;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    if (upl_host.test && upl_host.test->message[0]) fprintf(stderr, "    the last run said: %s\n", upl_host.test->message);
}

static __attribute__((unused)) void upl_test_expect_labels(const upl_test *t, const upl_label *want, size_t n, const char *file, int line) {
    bool same = t->emitted_count == n;
    for (size_t i = 0; same && i < n; i++) {
        const upl_emitted *e = &t->emitted[i];
        same = e->kind == UPL_EMIT_HARD && e->row == want[i].row && e->class == want[i].class && e->weight == want[i].weight;
    }
    if (same) return;
    upl_test_failures++;
    fprintf(stderr, "%s:%d: the labels are (row class weight)\n", file, line);
    for (size_t i = 0; i < t->emitted_count; i++) {
        const upl_emitted *e = &t->emitted[i];
        fprintf(stderr, "    %llu %u %g%s\n", (unsigned long long)e->row, e->class, (double)e->weight, e->kind == UPL_EMIT_HARD ? "" : " (no hard label)");
    }
    fprintf(stderr, "  and not\n");
    for (size_t i = 0; i < n; i++) fprintf(stderr, "    %llu %u %g\n", (unsigned long long)want[i].row, want[i].class, (double)want[i].weight);
}

static __attribute__((unused)) double upl_test_metric_of(const upl_test *t, const char *name) {
    for (size_t i = t->metric_count; i-- > 0;) {
        if (strcmp(t->metrics[i].name, name) == 0) return t->metrics[i].value;
    }
    return NAN;
}

static _Noreturn void upl_test_quit(const char *path, const char *reason) {
    fprintf(stderr, "%s: %s\n", path, reason);
    exit(1);
}

/* upl_test_matrix is a list of rows. */
static float *upl_test_matrix(const char *path, const upl_json *list, uint32_t classes) {
    float *p = upl_alloc(sizeof *p * list->count * classes), *to = p;
    for (const upl_json *row = list->first; row; row = row->next) {
        if (row->count != classes) upl_test_quit(path, "a row has another number of classes");
        for (const upl_json *x = row->first; x; x = x->next) *to++ = (float)x->number;
    }
    return p;
}

static __attribute__((unused)) const upl_json *upl_test_load(upl_test *t, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) upl_test_quit(path, "cannot be opened");
    struct upl_text text = {.grows = true};
    for (int c; (c = getc(file)) != EOF;) upl_put(&text, (char)c);
    fclose(file);
    const upl_json *root = upl_json_parse(text.data, text.size, NULL);
    const upl_json *classes = upl_json_get(root, "classes"), *models = upl_json_get(root, "models");
    const upl_json *ensemble = upl_json_get(root, "ensemble"), *params = upl_json_get(root, "params");
    if (!classes || !models || models->count < 1 || models->count > UPL_TEST_MODELS) upl_test_quit(path, "is no case");
    t->classes = classes->count;
    t->class_names = upl_strings(classes);
    t->models = models->count;
    t->rows = models->first->count;
    uint32_t m = 0;
    for (const upl_json *model = models->first; model; model = model->next) t->p[m++] = upl_test_matrix(path, model, t->classes);
    if (ensemble) t->ensemble = upl_test_matrix(path, ensemble, t->classes);
    if (params) t->params = upl_test_copy(params->source, (int32_t)params->source_size);
    return root;
}

#endif /* UPL_TEST_H */
