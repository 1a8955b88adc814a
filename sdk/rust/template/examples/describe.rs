//! Prints what the module says of itself: `make describe`.

fn main() {
    println!("{}", upl_plugin::describe(&{{ident}}::policies()));
}
