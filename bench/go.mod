// The comparison with other gateways. A module of its own, so that nothing of
// it, and no rival, ever enters the product's go.mod.
module github.com/chatshipper/gateway/bench

go 1.26.0
