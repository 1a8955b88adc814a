#include "entropy.c"

#include "upl_test.h"

static const float uniform[] = {0.25f, 0.25f, 0.25f, 0.25f};

/* The case has its labels from another implementation; upl-host is held to it too. */
static void test_case(void) {
    upl_label want[64];
    size_t n = 0;
    upl_test t = {0};
    const upl_json *labels = upl_json_get(upl_json_get(upl_test_load(&t, "testdata/case.json"), "expected"), "labels");
    for (const upl_json *l = labels->first; l; l = l->next) {
        const upl_json *row = l->first, *class = row->next, *weight = class->next;
        want[n++] = (upl_label){.row = (uint64_t)row->number, .class = (uint32_t)class->number, .weight = (float)weight->number};
    }
    for (t.batch_rows = 1; t.batch_rows <= t.rows; t.batch_rows *= 3) { /* of no consequence */
        UPL_EXPECT(upl_test_run(&t) == 0);
        upl_test_expect_labels(&t, want, n, __FILE__, __LINE__);
    }
}

/* Entropies 0, ln 2 and ln 4, of which the median is ln 2. */
static void test_certainty(void) {
    const float p[] = {0.25f, 0.25f, 0.25f, 0.25f, 0.5f, 0.5f, 0, 0, 0, 0, 1, 0};
    upl_test t = {.rows = 3, .classes = 4, .p = {p}, .params = "{\"weight\": \"certainty\"}"};
    UPL_EXPECT(upl_test_run(&t) == 0);
    UPL_EXPECT_LABELS(&t, {.row = 1, .class = 0, .weight = 0.5f}, {.row = 2, .class = 2, .weight = 1});
    UPL_EXPECT(fabs(upl_test_metric_of(&t, "most_entropy") - log(2)) < 1e-7);
}

/* The largest entropy is that of ln C, or a rounding more: a weight of 0, not below. */
static void test_no_certainty(void) {
    upl_test t = {.rows = 1, .classes = 4, .p = {uniform}, .params = "{\"weight\": \"certainty\"}"};
    UPL_EXPECT(upl_test_run(&t) == 0);
    UPL_EXPECT(t.emitted_count == 1 && t.emitted[0].weight >= 0 && t.emitted[0].weight < 1e-6f);
}

static void test_edges(void) {
    upl_test none = {.rows = 0, .classes = 4, .p = {uniform}};
    UPL_EXPECT(upl_test_run(&none) == 0 && none.emitted_count == 0 && none.metric_count == 0);
    const float ones[] = {1, 1, 1};
    upl_test one_class = {.rows = 3, .classes = 1, .p = {ones}, .params = "{\"k\": 2, \"weight\": \"certainty\"}"};
    UPL_EXPECT(upl_test_run(&one_class) == 0);
    UPL_EXPECT_LABELS(&one_class, {.row = 0, .weight = 1}, {.row = 1, .weight = 1});
}

/* The lists are cut on the way: the same as sorting everything. */
static void test_many(void) {
    enum { ROWS = 5000 };
    static float p[2 * ROWS];
    uint32_t state = 1;
    for (int i = 0; i < ROWS; i++) {
        state = state * 1664525 + 1013904223;
        p[2 * i] = (float)(state >> 26) / 64; /* 64 values: many ties */
        p[2 * i + 1] = 1 - p[2 * i];
    }
    upl_test all = {.rows = ROWS, .classes = 2, .p = {p}, .params = "{\"k\": 100000, \"quantile\": 1}"};
    upl_test some = {.rows = ROWS, .classes = 2, .p = {p}, .params = "{\"k\": 9, \"quantile\": 1}"};
    UPL_EXPECT(upl_test_run(&all) == 0 && all.emitted_count == ROWS);
    UPL_EXPECT(upl_test_run(&some) == 0 && some.emitted_count == 18);
    for (size_t i = 0; i < some.emitted_count; i++) {
        const upl_emitted *e = &some.emitted[i];
        int before = 0; /* how many of the class come before it */
        for (uint32_t row = 0; row < ROWS; row++) {
            float of_row = p[2 * row + e->class], of_e = p[2 * e->row + e->class];
            before += all.emitted[row].class == e->class && (of_row > of_e || (of_row == of_e && row < e->row));
        }
        UPL_EXPECT(before < 9);
    }
}

int main(void) {
    test_case();
    test_certainty();
    test_no_certainty();
    test_edges();
    test_many();
    return upl_test_end();
}
