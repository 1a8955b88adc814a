module github.com/upl-host/upl-host/sdk

go 1.26.0
