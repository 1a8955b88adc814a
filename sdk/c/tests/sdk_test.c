/* Tests of upl_plugin.h and upl_test.h: see the Makefile. */
#include "probe.c"

#include "../upl_test.h"

static uint64_t random_state = 1;

static uint64_t random_bits(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static bool parses(const char *text) {
    /* Exactly as much memory, so that the sanitizer sees a byte read too many. */
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    bool ok = upl_json_parse(copy, size, NULL) != NULL;
    free(copy);
    return ok;
}

static void test_json(void) {
    const char *good[] = {
        "null", " true ", "false", "0", "-0", "12", "-1.5e+3", "1E-2", "\"\"", "[]", "{}", "[[[]]]", "[1, 2]", "\"\\ud800x\"",
        "{\"a\": [1, {\"b\": null}], \"\": \"\\u00e9\"}", "{\"a\":1,\"a\":2}", "\t\r\n1",
    };
    const char *bad[] = {
        "", " ", "nul", "truex", "01", "1.", ".5", "-", "+1", "1e", "1e+", "--1", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
        "\"\x01\"", "[", "[1", "[1,", "[1,]", "[1 2]", "]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}",
        "1 2", "\"\\", "\"\\u", "{\"a\" 1}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        upl_test_expect(parses(good[i]), good[i], __FILE__, __LINE__);
        for (size_t n = 0; n < strlen(good[i]); n++) { /* cut anywhere: no harm */
            char cut[64] = "";
            memcpy(cut, good[i], n);
            parses(cut);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) upl_test_expect(!parses(bad[i]), bad[i], __FILE__, __LINE__);
    char deep[128] = "";
    memset(deep, '[', 63);
    memset(deep + 63, ']', 63);
    UPL_EXPECT(parses(deep));
    memset(deep, '[', 65);
    UPL_EXPECT(!parses(deep));
    size_t at = 0;
    UPL_EXPECT(!upl_json_parse("[1, x]", 6, &at) && at == 4);
    const char *text = "{\"s\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00\\udc00\", \"n\": -2.5, \"l\": [1, true]}";
    const upl_json *v = upl_json_parse(text, strlen(text), NULL), *l = upl_json_get(v, "l");
    UPL_EXPECT(upl_equal(upl_json_get(v, "s")->string, "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd"));
    UPL_EXPECT(upl_json_get(v, "n")->number == -2.5 && !upl_json_get(v, "N") && !upl_json_get(l, "n") && !upl_json_get(NULL, "n"));
    UPL_EXPECT(l->count == 2 && l->first->number == 1 && l->first->next->boolean && !l->first->next->next);
    UPL_EXPECT(l->source_size == 9 && memcmp(l->source, "[1, true]", 9) == 0);
}

/* same_double compares a decimal with the C library's. */
static void same_double(const char *text) {
    double got = upl_decimal(text, strlen(text)), want = strtod(text, NULL);
    upl_test_expect(memcmp(&got, &want, sizeof got) == 0, text, __FILE__, __LINE__);
}

static void test_decimal(void) {
    const char *edges[] = {
        "0", "-0", "1", "0.1", "0.30000000000000004", "9007199254740993", "9007199254740992.99999999999999999999", "1e22", "1e23", "123456789012345678e-25",
        "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309", "-1e400", "1e-400", "1e99999999999", "1e-99999999999",
        "2.2250738585072014e-308", "2.2250738585072011e-308", "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "7.4e-324",
        "0.000000000000000000000000000000000000001", "100000000000000000000000000000000000000000", "8.98846567431158e307", "0e500", "0.0e-5",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) same_double(edges[i]);
    char text[1200];
    for (int i = 0; i < 20000; i++) {
        union { uint64_t bits; double x; } u = {random_bits()};
        if (!isfinite(u.x)) continue;
        snprintf(text, sizeof text, "%.*e", (int)(random_bits() % 20), u.x);
        same_double(text);
        snprintf(text, sizeof text, "%.*g", (int)(random_bits() % 25), (double)(int64_t)random_bits() / 1e9);
        same_double(text);
    }
    for (int i = 0; i < 200; i++) { /* halfway between two, and next to it */
        union { uint64_t bits; double x; } u = {random_bits() >> 1};
        if (!(u.x < 0x1p900 && u.x > 0x1p-1000)) continue;
        union { uint64_t bits; double x; } next = {u.bits + 1};
        /* The exact decimal of the middle, of which long double has one bit more. */
        int n = snprintf(text, sizeof text, "%.*Le", 850, ((long double)u.x + (long double)next.x) / 2);
        same_double(text);
        char *exponent = strchr(text, 'e');
        exponent[-1] = '1'; /* beyond 800 digits, and above the middle */
        same_double(text);
        UPL_EXPECT(n > 850);
    }
}

static void formats(const char *want, const char *format, ...) {
    char text[64];
    va_list list;
    va_start(list, format);
    size_t n = upl_format_list(text, sizeof text, format, list);
    va_end(list);
    UPL_EXPECT(n == strlen(text));
    upl_test_expect(upl_equal(text, want), want, __FILE__, __LINE__);
}

static void test_format(void) {
    formats("a b -1 2 -9223372036854775808 18446744073709551615 7 %", "a %s %d %u %lld %llu %zu %%", "b", -1, 2u,
        (long long)INT64_MIN, (unsigned long long)UINT64_MAX, (size_t)7);
    formats("xnan inf -inf -0", "%c%g %g %g %g", 'x', (double)NAN, (double)INFINITY, -(double)INFINITY, -0.0);
    const double numbers[] = {0, 1, 10, 0.5, -2.25, 1e5, 123456, 999999, 999999.6, 1e6, 1234567, 0.001, 0.0001, 0.00001234, 1e300, 1.5e-300, 5e-324, 0.1, 100000.5, 1.7976931348623157e308};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char want[32];
        snprintf(want, sizeof want, "%g", numbers[i]);
        formats(want, "%g", numbers[i]);
    }
    char small[4] = "xyz";
    UPL_EXPECT(upl_format(small, sizeof small, "%d", 12345) == 3 && upl_equal(small, "123"));
    UPL_EXPECT(upl_format(small, 0, "%d", 1) == 0 && small[0] == '1');
}

/* ulps is how many doubles apart two are. */
static double ulps(double a, double b) {
    if (a == b) return 0;
    return fabs(a - b) / (nextafter(fabs(b), INFINITY) - fabs(b));
}

static void test_numbers(void) {
    double worst_ln = 0, worst_exp = 0;
    for (int i = 0; i < 100000; i++) {
        union { uint64_t bits; double x; } u = {random_bits() >> 1};
        if (isfinite(u.x) && u.x > 0) worst_ln = fmax(worst_ln, ulps(upl_ln(u.x), log(u.x)));
        double near = 0.5 + (double)(random_bits() >> 11) * 0x1p-53;
        worst_ln = fmax(worst_ln, ulps(upl_ln(near), log(near)));
        double x = ((double)(random_bits() >> 11) * 0x1p-53 - 0.5) * (i % 2 ? 1400 : 2);
        worst_exp = fmax(worst_exp, ulps(upl_exp(x), exp(x)));
    }
    UPL_EXPECT(worst_ln <= 2 && worst_exp <= 2);
    UPL_EXPECT(upl_ln(1) == 0 && upl_ln(0) == -INFINITY && isnan(upl_ln(-1)) && isnan(upl_ln(NAN)) && upl_ln(INFINITY) == INFINITY);
    UPL_EXPECT(ulps(upl_ln(5e-324), log(5e-324)) <= 2);
    UPL_EXPECT(upl_exp(0) == 1 && upl_exp(-INFINITY) == 0 && upl_exp(INFINITY) == INFINITY && upl_exp(710) == INFINITY && isnan(upl_exp(NAN)));
    UPL_EXPECT(upl_sqrt(2) == sqrt(2));
}

struct pair { uint32_t key, place; char tail; };

static int by_key(const void *a, const void *b) {
    const struct pair *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static void test_sort(void) {
    struct pair got[100], want[100];
    for (uint32_t n = 0; n <= 100; n++) {
        for (uint32_t i = 0; i < n; i++) got[i] = (struct pair){(uint32_t)random_bits() % 10, i, (char)i};
        memcpy(want, got, sizeof got);
        upl_sort(got, n, sizeof *got, by_key);
        qsort(want, n, sizeof *want, by_key);
        for (uint32_t i = 0; i < n; i++) UPL_EXPECT(by_key(&got[i], &want[i]) == 0 && got[i].tail == want[i].tail);
    }
}

static void test_describe(void) {
    const float p[] = {1};
    upl_test t = {.rows = 1, .classes = 1, .p = {p}, .policy = "fault", .params = "{\"how\": \"data\"}"};
    UPL_EXPECT(upl_test_run(&t) == UPL_CODE_DATA && upl_equal(t.message, "1 rows of none, at -5%"));
    const upl_json *first = upl_json_get(upl_host.manifest, "policies")->first, *fault = first->next->next->next;
    UPL_EXPECT(upl_equal(upl_json_get(first, "summary")->string, "digests of \"all\" views"));
    UPL_EXPECT(upl_equal(upl_json_get(first, "kind")->string, "selection"));
    UPL_EXPECT(upl_equal(upl_json_get(first->next->next, "kind")->string, "ensemble"));
    UPL_EXPECT(upl_json_get(upl_json_get(first->next, "needs"), "rounds")->boolean);
    UPL_EXPECT(upl_equal(upl_json_get(upl_json_get(first, "needs"), "views")->first->next->string, "top_m"));
    UPL_EXPECT(!fault->next && upl_json_get(upl_json_get(fault, "parameters"), "properties"));
    UPL_EXPECT(!upl_json_get(upl_json_get(first, "parameters"), "additionalProperties")->boolean);
}

static void test_faults(void) {
    const struct { const char *params, *message; int32_t code; } faults[] = {
        {"{\"how\": \"open late\"}", "opening view stats: not allowed now", UPL_CODE_STATE},
        {"{\"how\": \"x\", \"denied\": 1}", "opening view rows: denied", UPL_CODE_DENIED},
        {"{\"how\": \"row\"}", "hard labels: row 2 of 2", UPL_CODE_INVALID},
        {"{\"how\": \"weight\"}", "hard labels: weight -1 for row 0; weights are 0 to 1000", UPL_CODE_INVALID},
        {"{\"how\": \"soft\"}", "soft labels: probabilities sum to 0.5, not 1, for row 0", UPL_CODE_INVALID},
        {"{\"how\": \"twice\"}", "row 0 has hard labels, and dropped rows", UPL_CODE_INVALID},
        {"{\"how\": \"metric\"}", "recording metric nan: invalid argument", UPL_CODE_INVALID},
        {"{\"how\": \"rounds\"}", "it asks for another round without having declared that it needs rounds", UPL_CODE_INVALID},
        {"{\"how\": \"?\"}", "parameter how: is unknown", UPL_CODE_CONFIG},
        {"{\"how\": 1}", "parameter how: is not a string", UPL_CODE_CONFIG},
        {"{\"how\": null}", "parameter how: is missing", UPL_CODE_CONFIG},
    };
    const float p[] = {0.5f, 0.5f, 1, 0};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        upl_test t = {.rows = 2, .classes = 2, .p = {p}, .policy = "fault", .params = faults[i].params, .takes = UPL_TAKES_SOFT | UPL_TAKES_DROPS};
        UPL_EXPECT(upl_test_run(&t) == faults[i].code);
        upl_test_expect(upl_equal(t.message, faults[i].message), faults[i].message, __FILE__, __LINE__);
    }
    upl_test t = {.rows = 2, .classes = 2, .p = {p}, .policy = "absent"};
    UPL_EXPECT(upl_test_run(&t) == UPL_CODE_CONFIG && upl_equal(t.message, "there is no policy absent"));
    t.policy = "every-kind", t.models = 2, t.p[1] = p;
    UPL_EXPECT(upl_test_run(&t) == UPL_CODE_CONFIG && upl_equal(t.message, "a host that takes soft labels is needed"));
}

static void test_parameters(void) {
    const char *wrong[][2] = {
        {"{\"rounds\": 1.5}", "parameter rounds: is not an integer"},
        {"{\"rounds\": 1e300}", "parameter rounds: is not an integer"},
        {"{\"rounds\": 1e999}", "parameter rounds: is not a number that can be represented"},
        {"{\"share\": \"x\"}", "parameter share: is not a number"},
        {"{\"drop\": 0}", "parameter drop: is not true or false"},
        {"{\"weights\": [1, \"2\"]}", "parameter weights: is not a list of numbers"},
        {"{\"weights\": 1}", "parameter weights: is not a list of numbers"},
        {"{\"word\": \"\"}", "parameter word: is another"},
    };
    const float p[] = {0.5f, 0.5f};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        upl_test t = {.rows = 1, .classes = 2, .models = 2, .p = {p, p}, .policy = "every-kind", .params = wrong[i][0]};
        UPL_EXPECT(upl_test_run(&t) == UPL_CODE_CONFIG);
        upl_test_expect(upl_equal(t.message, wrong[i][1]), wrong[i][1], __FILE__, __LINE__);
    }
}

/* swap is what is learnt in a round: the opposite. */
static void swap(upl_test *t) {
    const float *first = t->p[0];
    t->p[0] = t->p[1];
    t->p[1] = first;
}

static void test_rounds(void) {
    const float p[] = {0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f};
    const float q[] = {0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f};
    const double prior[] = {0.1, 0.9};
    const upl_emitted want[] = { /* of the third round, which sees p again: the second had no batches, and learnt nothing */
        {0, 0, 0.25f, UPL_EMIT_SOFT, 0.25f}, {0, 1, 0.25f, UPL_EMIT_SOFT, 0.75f},
        {1, 0, 1, UPL_EMIT_CANDIDATES, 0}, {1, 1, 1, UPL_EMIT_CANDIDATES, 0},
        {2, UPL_NO_CLASS, 0, UPL_EMIT_DROP, 0},
        {3, 0, 0.125f, UPL_EMIT_HARD, 0}, {3, 1, 0.25f, UPL_EMIT_HARD, 0},
        {4, 0, 1, UPL_EMIT_SOFT, 0.25f}, {4, 1, 1, UPL_EMIT_SOFT, 0.75f},
    };
    upl_test t = {
        .policy = "every-kind", .rows = 5, .classes = 2, .models = 2, .p = {p, q}, .prior = prior, .batch_rows = 2, .learn = swap,
        .takes = UPL_TAKES_SOFT | UPL_TAKES_CANDIDATES | UPL_TAKES_DROPS, .model_names = (const char *const[]){"a", "b"},
    };
    UPL_EXPECT(upl_test_run(&t) == 0 && t.rounds == 3 && t.metric_count == 6);
    UPL_EXPECT(t.emitted_count == 9 && memcmp(t.emitted, want, sizeof want) == 0);
    UPL_EXPECT(t.log_count == 1 && upl_equal(t.log[0].text, "class 0 of b: 0.75, 3 weights, 3 rounds, prior 0.9"));
    UPL_EXPECT(t.metrics[0].value != t.metrics[2].value && t.metrics[2].value == t.metrics[4].value); /* previous */
}

/* test_buffers emits far more than is buffered, in batches of any size. */
static void test_buffers(void) {
    enum { ROWS = 5000, CLASSES = 3 };
    static float p[ROWS * CLASSES];
    for (int i = 0; i < ROWS; i++) {
        uint32_t a = (uint32_t)random_bits() % 65, b = (uint32_t)random_bits() % (65 - a);
        p[3 * i] = (float)a / 64, p[3 * i + 1] = (float)b / 64, p[3 * i + 2] = (float)(64 - a - b) / 64;
    }
    upl_emitted *want = NULL;
    size_t count = 0;
    const uint32_t sizes[] = {1, 7, 256, ROWS};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        upl_test t = {
            .policy = "every-kind", .rows = ROWS, .classes = CLASSES, .models = 2, .p = {p, p}, .batch_rows = sizes[i],
            .takes = UPL_TAKES_SOFT | UPL_TAKES_CANDIDATES | UPL_TAKES_DROPS,
        };
        UPL_EXPECT(upl_test_run(&t) == 0);
        if (i) UPL_EXPECT(t.emitted_count == count && memcmp(t.emitted, want, count * sizeof *want) == 0);
        want = t.emitted, count = t.emitted_count;
        UPL_EXPECT(count == ROWS / 4 * 7);
    }
}

static void test_ensemble(void) {
    const float p[] = {0.75f, 0.25f, 0.5f, 0.5f, 1, 0}, q[] = {0.25f, 0.75f, 0, 1, 0.5f, 0.5f};
    const float want[] = {0.5f, 0.5f, 0.25f, 0.75f, 0.75f, 0.25f};
    upl_test t = {.policy = "half", .rows = 3, .classes = 2, .models = 2, .p = {p, q}, .batch_rows = 2};
    UPL_EXPECT(upl_test_run(&t) == 0 && memcmp(t.combined, want, sizeof want) == 0);
}

int main(void) {
    test_json();
    test_decimal();
    test_format();
    test_numbers();
    test_sort();
    test_describe();
    test_faults();
    test_parameters();
    test_rounds();
    test_buffers();
    test_ensemble();
    return upl_test_end();
}
