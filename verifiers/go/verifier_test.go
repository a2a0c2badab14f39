package verifier

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// TestVectors runs the published vectors: go test.
func TestVectors(t *testing.T) {
	read := func(name string, into any) {
		bytes, err := os.ReadFile("../../vectors/" + name)
		if err == nil {
			err = json.Unmarshal(bytes, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	unhex := func(text string) []byte {
		bytes, _ := hex.DecodeString(text)
		return bytes
	}

	var requests struct {
		Services map[string][]string
		Vectors  []struct {
			ID          string
			ReplayGuard int `json:"replay_guard"`
			Steps       []struct {
				NowMs    int64 `json:"now_ms"`
				Method   string
				Headers  map[string]string
				Body     string `json:"body_base64"`
				Expected string
			}
		}
	}
	read("requests.json", &requests)
	services := map[string][][]byte{}
	for id, keys := range requests.Services {
		for _, key := range keys {
			services[id] = append(services[id], unhex(key))
		}
	}
	for _, vector := range requests.Vectors {
		verifier, err := New(services, vector.ReplayGuard)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range vector.Steps {
			body, _ := base64.StdEncoding.DecodeString(step.Body)
			header := func(name string) (string, bool) { value, ok := step.Headers[name]; return value, ok }
			if verdict := verifier.Verify(step.Method, header, body, step.NowMs); verdict.Reason != step.Expected {
				t.Errorf("%s: %s, not %s", vector.ID, verdict.Reason, step.Expected)
			}
		}
	}

	var keys struct {
		Taken []struct {
			Key string
			ID  string `json:"key_id"`
		}
		Refused []struct{ Why, Key string }
	}
	read("keys.json", &keys)
	for _, key := range keys.Taken {
		if !MayBeTrusted(unhex(key.Key)) || KeyID(unhex(key.Key)) != key.ID {
			t.Errorf("%s is not taken", key.ID)
		}
	}
	for _, key := range keys.Refused {
		if MayBeTrusted(unhex(key.Key)) {
			t.Errorf("%s is taken", key.Why)
		}
	}

	var signatures struct {
		Vectors []struct {
			ID, Key, Message, Signature string
			OK                          bool
		}
	}
	read("ed25519.json", &signatures)
	for _, of := range signatures.Vectors {
		key, signature := unhex(of.Key), unhex(of.Signature)
		ok := MayBeTrusted(key) && IsStrictSignature(signature) && ed25519.Verify(key, unhex(of.Message), signature)
		if ok != of.OK {
			t.Errorf("%s: %v", of.ID, ok)
		}
	}
	t.Logf("%d requests, %d keys, %d signatures", len(requests.Vectors), len(keys.Taken)+len(keys.Refused), len(signatures.Vectors))
}
