// The host's functions, docs/plugin-abi.md. Policies use the classes around them.

@external("upl_v1", "get_config")
export declare function getConfig(ptr: usize, cap: i32): i32;

@external("upl_v1", "get_dataset")
export declare function getDataset(ptr: usize, cap: i32): i32;

@external("upl_v1", "put_manifest")
export declare function putManifest(ptr: usize, len: i32): i32;

@external("upl_v1", "open_view")
export declare function openView(ptr: usize, len: i32): i32;

@external("upl_v1", "read_view")
export declare function readView(handle: i32, first: u64, n: i32, ptr: usize, cap: i32): i32;

@external("upl_v1", "emit")
export declare function emit(kind: i32, ptr: usize, len: i32): i32;

@external("upl_v1", "log_enabled")
export declare function logEnabled(level: i32): i32;

@external("upl_v1", "log")
export declare function log(level: i32, ptr: usize, len: i32): i32;

@external("upl_v1", "metric")
export declare function metric(ptr: usize, len: i32, value: f64): i32;

@external("upl_v1", "random")
export declare function random(ptr: usize, len: i32): i32;

@external("upl_v1", "fail")
export declare function fail(code: i32, ptr: usize, len: i32): i32;
