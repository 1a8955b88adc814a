module example.com/margin

go 1.26.0

require github.com/upl-host/upl-host/sdk v0.0.0

// Inside this repository; a plugin of your own requires a released version.
replace github.com/upl-host/upl-host/sdk => ../../../sdk
