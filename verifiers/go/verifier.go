// Package verifier verifies job-collector's requests (docs/verifying.md), with the standard library only.
package verifier

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

const maxDriftMs = 300_000

var (
	serviceIDForm = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,64}\z`)
	keyIDForm     = regexp.MustCompile(`\A[0-9a-f]{16}\z`)
	timestampForm = regexp.MustCompile(`\A(?:0|[1-9][0-9]{0,15})\z`)
	// 64 bytes are 85 full characters and one that carries two bits: any other spells the same bytes twice.
	signatureForm = regexp.MustCompile(`\A[A-Za-z0-9+/]{85}[AQgw]==\z`)

	one = big.NewInt(1)
	p   = new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	l   = number("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	d   = number("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352")
	y8  = number("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")

	smallOrderY = []*big.Int{one, new(big.Int).Sub(p, one), new(big.Int), y8, new(big.Int).Sub(p, y8)}
)

func number(littleEndian string) *big.Int {
	bytes, _ := hex.DecodeString(littleEndian)
	return little(bytes)
}

func little(bytes []byte) *big.Int {
	reversed := make([]byte, len(bytes))
	for i, b := range bytes {
		reversed[len(bytes)-1-i] = b
	}
	return new(big.Int).SetBytes(reversed)
}

// yOf is a point's y, and whether the encoding is canonical and not of small order.
func yOf(encoded []byte) (*big.Int, bool) {
	y := little(encoded)
	y.SetBit(y, 255, 0)
	for _, small := range smallOrderY {
		if y.Cmp(small) == 0 {
			return y, false
		}
	}
	return y, y.Cmp(p) < 0
}

// IsStrictSignature tells whether a signature has the one form that is admitted: S < L, R canonical and not of small order.
func IsStrictSignature(signature []byte) bool {
	if len(signature) != 64 || little(signature[32:]).Cmp(l) >= 0 {
		return false
	}
	_, ok := yOf(signature[:32])
	return ok
}

// MayBeTrusted tells whether a public key is canonical, on the curve and not of small order.
func MayBeTrusted(publicKey []byte) bool {
	if len(publicKey) != 32 {
		return false
	}
	y, ok := yOf(publicKey)
	if !ok {
		return false
	}
	// On the curve: (y² − 1) / (d·y² + 1) is a square.
	y2 := new(big.Int).Exp(y, big.NewInt(2), p)
	u := new(big.Int).Sub(y2, one)
	v := new(big.Int).Mul(d, y2)
	product := u.Mul(u, v.Add(v, one))
	return big.Jacobi(product.Mod(product, p), p) == 1
}

// KeyID is what X-Key-Id says of a public key.
func KeyID(publicKey []byte) string {
	sum := sha256.Sum256(publicKey)
	return hex.EncodeToString(sum[:8])
}

// Verdict of a request: Reason is "ok" or why to answer 401. Both are safe to log.
type Verdict struct{ Reason, Problem, KeyID string }

// Verifier verifies requests; safe for concurrent use.
type Verifier struct {
	keys   map[string][]ed25519.PublicKey
	guards map[string]*replayGuard
}

// New makes a verifier of each service's public keys. A replayCapacity of 0 means no guard.
func New(services map[string][][]byte, replayCapacity int) (*Verifier, error) {
	v := &Verifier{map[string][]ed25519.PublicKey{}, map[string]*replayGuard{}}
	for id, keys := range services {
		if !serviceIDForm.MatchString(id) || len(keys) == 0 {
			return nil, errors.New("a service needs an id of [A-Za-z0-9_-]{1,64} and a public key")
		}
		for i, key := range keys {
			if !MayBeTrusted(key) {
				return nil, fmt.Errorf("public key %d of the service %s must not be trusted", i+1, id)
			}
			v.keys[id] = append(v.keys[id], key)
		}
		if replayCapacity > 0 {
			share := replayCapacity / len(services)
			if share == 0 {
				share = 1
			}
			v.guards[id] = &replayGuard{capacity: share, seconds: map[int64]map[string]bool{}, forgotten: -1}
		}
	}
	return v, nil
}

// Header of a request; ok is false where it is missing. http.Header.Values joined by ", " will do.
type Header func(lowerCaseName string) (value string, ok bool)

// Verify judges a request by its headers and the exact bytes of its body, before any parsing.
func (v *Verifier) Verify(method string, header Header, body []byte, nowMs int64) Verdict {
	authorization, ok := header("authorization")
	serviceID, both := header("x-service-id")
	if !ok || !both {
		return Verdict{Reason: "MissingHeader", Problem: "Authorization and X-Service-Id must be there"}
	}
	scheme, rest, _ := strings.Cut(authorization, " ")
	digits, text, _ := strings.Cut(rest, ":")
	timestamp, err := strconv.ParseInt(digits, 10, 64)
	if scheme != "Ed25519" || !timestampForm.MatchString(digits) || err != nil || timestamp >= 1<<53 {
		return Verdict{Reason: "MalformedHeader", Problem: "Authorization must be `Ed25519 {Unix seconds}:{signature}`"}
	}
	if !signatureForm.MatchString(text) {
		return Verdict{Reason: "MalformedHeader", Problem: "the signature must be 64 bytes in standard base64 with padding"}
	}
	if !serviceIDForm.MatchString(serviceID) {
		return Verdict{Reason: "MalformedHeader", Problem: "X-Service-Id must match [A-Za-z0-9_-]{1,64}"}
	}
	named, isNamed := header("x-key-id")
	if isNamed && !keyIDForm.MatchString(named) {
		return Verdict{Reason: "MalformedHeader", Problem: "X-Key-Id must be 16 lower-case hex digits"}
	}
	trusted := v.keys[serviceID]
	if trusted == nil {
		return Verdict{Reason: "UnknownService", Problem: "no key is trusted for this service id"}
	}
	var keys []ed25519.PublicKey
	for _, key := range trusted {
		if !isNamed || KeyID(key) == named {
			keys = append(keys, key)
		}
	}
	if keys == nil {
		return Verdict{Reason: "UnknownKey", Problem: "the key that the request names is not trusted for this service id"}
	}
	if drift := nowMs - timestamp*1000; drift >= maxDriftMs || drift <= -maxDriftMs {
		return Verdict{Reason: "Drift", Problem: "the timestamp is 5 minutes or more away"}
	}
	signature, _ := base64.StdEncoding.DecodeString(text)
	digest := sha256.Sum256(body)
	message := []byte(fmt.Sprintf("v1\n%d\n%x\n%s", timestamp, digest, serviceID))
	for _, key := range keys {
		if !IsStrictSignature(signature) || !ed25519.Verify(key, message, signature) {
			continue
		}
		method = strings.ToUpper(method)
		changesNothing := (method == "GET" || method == "HEAD") && len(body) == 0
		if guard := v.guards[serviceID]; guard != nil && !changesNothing {
			if reason := guard.admit(timestamp, text, nowMs); reason != "ok" {
				return Verdict{Reason: reason, Problem: "taken before, or the guard is full"}
			}
		}
		return Verdict{Reason: "ok", KeyID: KeyID(key)}
	}
	return Verdict{Reason: "WrongSignature", Problem: "no key that is trusted for this service made this signature"}
}

// replayGuard remembers one service's requests, a set for each second, until they have drifted anyway.
type replayGuard struct {
	mutex     sync.Mutex
	capacity  int
	size      int
	seconds   map[int64]map[string]bool
	forgotten int64 // the latest timestamp forgotten: a clock set back makes it fresh again
}

func (g *replayGuard) admit(timestamp int64, signature string, nowMs int64) string {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for second, requests := range g.seconds {
		if nowMs-second*1000 >= maxDriftMs {
			g.size -= len(requests)
			delete(g.seconds, second)
			if second > g.forgotten {
				g.forgotten = second
			}
		}
	}
	if timestamp <= g.forgotten || g.seconds[timestamp][signature] {
		return "Replay"
	}
	if g.size >= g.capacity {
		return "ReplayGuardFull"
	}
	if g.seconds[timestamp] == nil {
		g.seconds[timestamp] = map[string]bool{}
	}
	g.seconds[timestamp][signature] = true
	g.size++
	return "ok"
}
