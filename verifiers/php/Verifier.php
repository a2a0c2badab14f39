<?php

declare(strict_types=1);

namespace JobCollector;

/**
 * Verifies job-collector's requests (docs/verifying.md), with PHP's own sodium extension.
 *
 *     $verifier = new Verifier(['job-collector' => [hex2bin('d75a98…')]]);
 *     [$reason, $problem] = $verifier->verify($method, $headers, file_get_contents('php://input'));
 *
 * `$headers` is an array by lower-case name, the body the exact bytes, before any parsing. The reason is `ok` or why to answer
 * 401. PHP keeps nothing from one request to the next: give a store of what was seen, shared by all processes, to refuse replays.
 */
final class Verifier
{
    private const MAX_DRIFT_MS = 300_000;
    private const P = 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f';
    private const L = 'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010';
    private const D = 'a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352';
    private const SMALL_ORDER_Y = [
        '0100000000000000000000000000000000000000000000000000000000000000',
        'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
        '0000000000000000000000000000000000000000000000000000000000000000',
        '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
        'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    ];

    /** @var array<string, bool> */
    private static array $trusted = [];

    /**
     * @param array<string, list<string>> $services each service's public keys, 32 bytes each
     * @param (\Closure(string $serviceId, int $timestamp, string $signature, int $nowMs): string)|null $admit
     *     says `ok`, `Replay` or `ReplayGuardFull` of a request that is otherwise good, and remembers it
     */
    public function __construct(private array $services, private ?\Closure $admit = null)
    {
        foreach ($services as $id => $keys) {
            if (preg_match('/\A[A-Za-z0-9_-]{1,64}\z/', (string) $id) !== 1 || $keys === []) {
                throw new \InvalidArgumentException('a service needs an id of [A-Za-z0-9_-]{1,64} and a public key');
            }
            foreach ($keys as $index => $key) {
                // Some milliseconds of arithmetic, once in a process.
                self::$trusted[$key] ??= self::mayBeTrusted($key);
                if (!self::$trusted[$key]) {
                    throw new \InvalidArgumentException('public key ' . ($index + 1) . " of $id must not be trusted");
                }
            }
        }
    }

    /** What X-Key-Id says of a public key. */
    public static function keyId(string $publicKey): string
    {
        return substr(hash('sha256', $publicKey), 0, 16);
    }

    /**
     * @param array<string, mixed> $headers
     * @return array{string, string} `ok` and the key's id, or the reason and what is wrong; both are safe to log
     */
    public function verify(string $method, array $headers, string $body, ?int $nowMs = null): array
    {
        $nowMs ??= (int) floor(microtime(true) * 1000);
        $authorization = $headers['authorization'] ?? null;
        $serviceId = $headers['x-service-id'] ?? null;
        $named = $headers['x-key-id'] ?? null;
        if ($authorization === null || $serviceId === null) {
            return ['MissingHeader', 'Authorization and X-Service-Id must be there'];
        }
        if (!is_string($authorization) || !is_string($serviceId) || !is_string($named ?? '')) {
            return ['MalformedHeader', 'a header must be one text'];
        }
        // 64 bytes are 85 full characters and one that carries two bits: any other spells the same bytes twice.
        $form = '~\AEd25519 (0|[1-9][0-9]{0,15}):([A-Za-z0-9+/]{85}[AQgw]==)\z~';
        if (preg_match($form, $authorization, $parts) !== 1 || (int) $parts[1] > 2 ** 53 - 1) {
            return ['MalformedHeader', 'Authorization must be `Ed25519 {Unix seconds}:{64 bytes in base64}`'];
        }
        if (preg_match('/\A[A-Za-z0-9_-]{1,64}\z/', $serviceId) !== 1) {
            return ['MalformedHeader', 'X-Service-Id must match [A-Za-z0-9_-]{1,64}'];
        }
        if ($named !== null && preg_match('/\A[0-9a-f]{16}\z/', $named) !== 1) {
            return ['MalformedHeader', 'X-Key-Id must be 16 lower-case hex digits'];
        }
        if (!isset($this->services[$serviceId])) {
            return ['UnknownService', 'no key is trusted for this service id'];
        }
        $isNamed = fn (string $key): bool => $named === null || self::keyId($key) === $named;
        $keys = array_filter($this->services[$serviceId], $isNamed);
        if ($keys === []) {
            return ['UnknownKey', 'the key that the request names is not trusted for this service id'];
        }
        $timestamp = (int) $parts[1];
        if (abs($nowMs - $timestamp * 1000) >= self::MAX_DRIFT_MS) {
            return ['Drift', 'the timestamp is 5 minutes or more away'];
        }
        $signature = base64_decode($parts[2], true);
        $message = "v1\n$timestamp\n" . hash('sha256', $body) . "\n$serviceId";
        foreach ($keys as $key) {
            if (!self::verifies($key, $message, $signature)) {
                continue;
            }
            $changesNothing = in_array(strtoupper($method), ['GET', 'HEAD'], true) && $body === '';
            $answer = $changesNothing || $this->admit === null
                ? 'ok'
                : ($this->admit)($serviceId, $timestamp, $signature, $nowMs);
            return $answer === 'ok' ? ['ok', self::keyId($key)] : [$answer, 'taken before, or the guard is full'];
        }
        return ['WrongSignature', 'no key that is trusted for this service made this signature'];
    }

    /** Whether a trusted key made a signature: S < L, R canonical and not of small order, then sodium's equation. */
    public static function verifies(string $publicKey, string $message, string $signature): bool
    {
        return strlen($signature) === 64
            && self::isBelow(substr($signature, 32), self::L)
            && self::isStrictPoint(substr($signature, 0, 32))
            && sodium_crypto_sign_verify_detached($signature, $message, $publicKey);
    }

    /** Whether a public key is canonical, on the curve and not of small order. */
    public static function mayBeTrusted(string $publicKey): bool
    {
        if (strlen($publicKey) !== 32 || !self::isStrictPoint($publicKey)) {
            return false;
        }
        // On the curve: (y² − 1) / (d·y² + 1) is a square, so that its power of (p − 1) / 2 = 2^254 − 10 is 1.
        $y = self::limbs(self::withoutSign($publicKey));
        $u = $v = self::multiply($y, $y);
        $u[0] -= 1;
        $v = self::multiply($v, self::limbs(hex2bin(self::D)));
        $v[0] += 1;
        $base = $power = self::multiply($u, $v);
        for ($bit = 252; $bit >= 0; $bit--) {
            $power = self::multiply($power, $power);
            if ($bit !== 3 && $bit !== 0) {
                $power = self::multiply($power, $base);
            }
        }
        // 1, and what is the same modulo p below 2^256: p + 1 and 2p + 1.
        foreach (['01' . str_repeat('00', 31), 'ee' . str_repeat('ff', 30) . '7f', 'db' . str_repeat('ff', 31)] as $one) {
            if ($power === self::limbs(hex2bin($one))) {
                return true;
            }
        }
        return false;
    }

    private static function isStrictPoint(string $encoded): bool
    {
        $y = self::withoutSign($encoded);
        return self::isBelow($y, self::P) && !in_array(bin2hex($y), self::SMALL_ORDER_Y, true);
    }

    private static function withoutSign(string $encoded): string
    {
        return substr($encoded, 0, 31) . chr(ord($encoded[31]) & 127);
    }

    private static function isBelow(string $littleEndian, string $bound): bool
    {
        return strcmp(strrev($littleEndian), strrev(hex2bin($bound))) < 0;
    }

    /** @return list<int> sixteen limbs of 16 bits, the lowest first */
    private static function limbs(string $littleEndian): array
    {
        return array_values(unpack('v16', $littleEndian));
    }

    /** The product modulo 2p, in limbs: 2^256 is 38 there. */
    private static function multiply(array $a, array $b): array
    {
        $product = array_fill(0, 32, 0);
        for ($i = 0; $i < 16; $i++) {
            for ($j = 0; $j < 16; $j++) {
                $product[$i + $j] += $a[$i] * $b[$j];
            }
        }
        for ($i = 0; $i < 16; $i++) {
            $product[$i] += 38 * $product[$i + 16];
        }
        $limbs = array_slice($product, 0, 16);
        for ($round = 0; $round < 3; $round++) {
            for ($i = 0; $i < 16; $i++) {
                $carry = $limbs[$i] >> 16;
                $limbs[$i] -= $carry << 16;
                $limbs[($i + 1) % 16] += $i === 15 ? 38 * $carry : $carry;
            }
        }
        return $limbs;
    }
}
