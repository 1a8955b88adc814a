#include "{{ident}}.c"

#include "upl_test.h"

static void test_ranks_by_margin(void) {
    const float p[] = {
        0.625f, 0.375f, 0, /* ahead by 0.25, and the most confident */
        0.5f, 0.125f, 0.375f, /* by 0.125 */
        0.5625f, 0.25f, 0.1875f, /* by 0.3125 */
        0.25f, 0.5f, 0.25f, /* the only one of its class */
    };
    upl_test t = {.rows = 4, .classes = 3, .p = {p}, .params = "{\"k\": 1}"};
    UPL_EXPECT(upl_test_run(&t) == 0);
    UPL_EXPECT_LABELS(&t, {.row = 2, .class = 0, .weight = 1}, {.row = 3, .class = 1, .weight = 1});
}

/* Of equal margins the earlier images are taken, whatever the size of batches. */
static void test_ties(void) {
    const float p[] = {0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f};
    for (uint32_t batch_rows = 1; batch_rows <= 3; batch_rows++) {
        upl_test t = {.rows = 3, .classes = 2, .p = {p}, .params = "{\"k\": 2}", .batch_rows = batch_rows};
        UPL_EXPECT(upl_test_run(&t) == 0);
        UPL_EXPECT_LABELS(&t, {.row = 0, .class = 0, .weight = 1}, {.row = 1, .class = 0, .weight = 1});
    }
}

static void test_edges(void) {
    const float one = 1;
    upl_test none = {.rows = 0, .classes = 2, .p = {&one}};
    UPL_EXPECT(upl_test_run(&none) == 0 && none.emitted_count == 0);
    upl_test one_class = {.rows = 1, .classes = 1, .p = {&one}};
    UPL_EXPECT(upl_test_run(&one_class) == 0);
    UPL_EXPECT_LABELS(&one_class, {.row = 0, .class = 0, .weight = 1});
}

int main(void) {
    test_ranks_by_margin();
    test_ties();
    test_edges();
    return upl_test_end();
}
