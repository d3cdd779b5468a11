package storetest

import (
	"testing"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

func TestMemoryKeepsThePromisesOfRequestLimits(t *testing.T) {
	Limits(t, func(*testing.T) limiter.Store { return limiter.NewMemory(16 << 20) })
}

func TestMemoryKeepsThePromisesOfMessageLimits(t *testing.T) {
	Messages(t, func(*testing.T) loopguard.Store { return loopguard.NewMemory(16 << 20) })
}
