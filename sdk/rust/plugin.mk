# The rules of a plugin in Rust. The Makefile that includes this sets NAME, the
# crate's and the plugin's, and SDK, this folder.
#   make            writes the plugin's folder, build/NAME
#   make test       tests it natively and, where upl-host is there, in its sandbox
#   make describe   prints what the module says of itself, for upl-plugin.yaml
CARGO ?= cargo
UPL_HOST ?= upl-host
export CARGO

plugin := build/$(NAME)

.PHONY: build test describe clean
build:
	@mkdir -p $(plugin)
	sh $(SDK)/wasm.sh $(NAME) $(plugin)/$(NAME).wasm
	cp upl-plugin.yaml $(plugin)/

test: build
	$(CARGO) test --quiet
	@if command -v $(UPL_HOST) >/dev/null; then $(UPL_HOST) plugin test $(plugin); \
	else echo "note: $(UPL_HOST) is not on PATH, so that the module was not tested in its sandbox"; fi

describe:
	@$(CARGO) run --quiet --example describe

clean:
	rm -rf build target
