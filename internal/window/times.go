package window

import "encoding/binary"

// mostTimes bounds what ReadTimes believes: the largest limit that there is.
const mostTimes = 100_000

// AppendTimes appends the times of one key, oldest first, as ReadTimes reads them:
// how many (uvarint), the first (8 bytes), and for each other the distance from
// the one before (uvarint).
func AppendTimes(dst []byte, times []int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(times)))
	for i, at := range times {
		if i == 0 {
			dst = binary.BigEndian.AppendUint64(dst, uint64(at))
		} else {
			dst = binary.AppendUvarint(dst, uint64(at-times[i-1]))
		}
	}
	return dst
}

// ReadTimes reads what AppendTimes wrote, and returns the rest. ok is false when
// it is something else.
func ReadTimes(data []byte) (times []int64, rest []byte, ok bool) {
	n, used := binary.Uvarint(data)
	if used <= 0 || n < 1 || n > mostTimes || len(data) < used+8 {
		return nil, nil, false
	}
	times = append(make([]int64, 0, min(n, uint64(len(data)))), int64(binary.BigEndian.Uint64(data[used:])))
	for data = data[used+8:]; uint64(len(times)) < n; {
		gap, used := binary.Uvarint(data)
		if used <= 0 {
			return nil, nil, false
		}
		times, data = append(times, times[len(times)-1]+int64(gap)), data[used:]
	}
	return times, data, true
}
