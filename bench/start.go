package main

import (
	"fmt"

	"github.com/chatshipper/gateway/bench/internal/peer"
	"github.com/chatshipper/gateway/bench/internal/report"
)

// start measures how long each peer takes until it answers, and what it then
// holds in memory.
func (b *bench) start() error {
	up, addr, err := startUpstream("1")
	if up != nil {
		defer up.Stop()
	}
	if err != nil {
		return err
	}
	for range b.rounds {
		for k := range b.peers {
			if b.peers[k].Name == peer.HAProxyCopy {
				continue // answers nothing itself
			}
			s, err := startOnce(&b.peers[k], addr)
			if err != nil {
				return err
			}
			b.starts = append(b.starts, s)
			fmt.Fprintf(b.out, "start  %-26s %5.1f ms  %4.1f MB\n", s.Peer, float64(s.Answered.Microseconds())/1e3, s.Memory/1e6)
		}
	}
	return nil
}

func startOnce(p *peer.Peer, upstream string) (report.Start, error) {
	i, err := p.Start(peer.Settings{Upstream: upstream, PerIP: raised, Cores: "0", Probe: true})
	if err != nil {
		return report.Start{}, err
	}
	defer i.Stop()
	memory, err := i.Memory()
	return report.Start{Peer: p.Name, Answered: i.Answered, Memory: float64(memory)}, err
}
