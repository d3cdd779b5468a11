module github.com/chatshipper/gateway/bench/stores

go 1.26.0
