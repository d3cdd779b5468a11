package proxy

import "bytes"

// origins says how references to the upstream's origin in an answer become
// references to the origin that the client used. ChatShipper's SDK follows a
// Link wherever it points, with the bearer token attached.
type origins struct {
	upstream  [][]byte // authorities of the upstream, without a default port
	scheme    []byte   // of the client's origin
	authority []byte   // of the client's origin
}

// rewrite appends value to dst with every URL that starts at the upstream's
// origin moved to the client's; everything else, encoding included, stays byte
// for byte. In a Link the URLs stand between < and >, a Location is one URL.
func (o *origins) rewrite(dst, value []byte, link bool) []byte {
	if !link {
		if n := o.prefix(value); n > 0 {
			dst = o.append(dst)
			value = value[n:]
		}
		return append(dst, value...)
	}
	for {
		i := bytes.IndexByte(value, '<')
		if i < 0 {
			return append(dst, value...)
		}
		dst = append(dst, value[:i+1]...)
		value = value[i+1:]
		if n := o.prefix(value); n > 0 {
			dst = o.append(dst)
			value = value[n:]
		}
	}
}

func (o *origins) append(dst []byte) []byte {
	dst = append(dst, o.scheme...)
	dst = append(dst, "://"...)
	return append(dst, o.authority...)
}

// prefix returns how many bytes of url are the upstream's origin, by either
// scheme and with or without the default port; 0 when url points elsewhere.
func (o *origins) prefix(url []byte) int {
	var n int
	var port string
	switch {
	case hasPrefixFold(url, "https://"):
		n, port = len("https://"), ":443"
	case hasPrefixFold(url, "http://"):
		n, port = len("http://"), ":80"
	case bytes.HasPrefix(url, []byte("//")):
		n = len("//")
	default:
		return 0
	}
	for _, name := range o.upstream {
		if end := n + authority(url[n:], name, port); end > n {
			return end
		}
	}
	return 0
}

// authority returns how many bytes at the beginning of rest are this authority,
// with or without the default port; 0 for another.
func authority(rest, name []byte, port string) int {
	if len(rest) < len(name) || !equalFold(rest[:len(name)], name) {
		return 0
	}
	n := len(name)
	rest = rest[n:]
	if port != "" && bytes.HasPrefix(rest, []byte(port)) {
		n += len(port)
		rest = rest[len(port):]
	}
	if len(rest) == 0 || rest[0] == '/' || rest[0] == '?' || rest[0] == '#' || rest[0] == '>' {
		return n
	}
	return 0
}
