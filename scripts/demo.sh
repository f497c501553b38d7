#!/usr/bin/env bash
# From a fresh clone to two runs of a transformation: the second day's run updates and adds rows.
source "$(dirname "$0")/prelude.sh"

started=$SECONDS
project="$cache/demo"
longshore="target/debug/longshore"

# Prints a command as a person would type it from here, then runs it.
show() {
    say ""
    say "\$ longshore $*"
    "$longshore" "$@"
}

scripts/setup.sh
scripts/engine.sh start
# The images are network and disk, the compiler is processor: together they take no longer than the one.
scripts/base-images.sh shell python &
images=$!
build_step "compile longshore" cargo build --locked
wait "$images" || fail "the images could not be built"
ready=$SECONDS

# The demo begins with no tables, however often it runs.
rm -rf "$project"
mkdir -p "$project"
# Short paths read better; the project folder is the one thing that a reader of the output must see.
project=${project#"$root/"}

say ""
say "The 14th: the shop delivers its orders, and a transformation joins them with the customers."
show run component-specs/python-transformation.yaml \
    --config fixtures/demo/configuration.yaml \
    --table in.c-demo.orders=fixtures/demo/orders.csv \
    --table in.c-demo.customers=fixtures/demo/customers.csv \
    --project "$project"

say ""
say "The 15th: February again, one day longer and with corrections. revenue_by_country is replaced;"
say "customer_totals has a key: its February rows are updated, new ones added, January stays."
show run component-specs/python-transformation.yaml \
    --config fixtures/demo/configuration.yaml \
    --table in.c-demo.orders=fixtures/demo/orders-day2.csv \
    --project "$project"

show table ls --project "$project"
show table head out.c-demo.revenue_by_country --project "$project"
show table history out.c-demo.customer_totals --project "$project"
show table diff out.c-demo.customer_totals 1 2 --project "$project"
show job ls --project "$project"

say ""
say "✓ demo: $((ready - started)) s to make everything, $((SECONDS - ready)) s to run it."
say "  The project is $project; try: $longshore table export out.c-demo.customer_totals --project $project"
