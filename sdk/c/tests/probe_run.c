/* probe_run POLICY CASE.json [BATCH]: what a policy of the probe makes of a case. */
#include "probe.c"

#include "../upl_test.h"

int main(int count, char **arguments) {
    if (count < 3) return 2;
    upl_test t = {.policy = arguments[1], .takes = UPL_TAKES_SOFT | UPL_TAKES_CANDIDATES | UPL_TAKES_DROPS};
    upl_test_load(&t, arguments[2]);
    if (count > 3) t.batch_rows = (uint32_t)atoi(arguments[3]);
    int32_t result = upl_test_run(&t);
    if (result < 0) printf("error %d %s\n", result, t.message);
    for (size_t i = 0; i < t.metric_count; i++) printf("%u %s %.17g\n", t.metrics[i].round, t.metrics[i].name, t.metrics[i].value);
    for (size_t i = 0; i < t.log_count; i++) printf("%u %d %s\n", t.log[i].round, t.log[i].level, t.log[i].text);
    for (size_t i = 0; i < t.emitted_count; i++) {
        const upl_emitted *e = &t.emitted[i];
        printf("%d %llu %d %.9g %.9g\n", e->kind, (unsigned long long)e->row, (int32_t)e->class, (double)e->weight, (double)e->p);
    }
    for (size_t i = 0; upl_host.policy->combine && i < (size_t)t.rows * t.classes; i++) printf("%.9g\n", (double)t.combined[i]);
    return upl_test_end();
}
