<?php

// Runs the published vectors: php vectors.php ../../vectors. Prints how many; fails on the first that differs.

declare(strict_types=1);

require __DIR__ . '/Verifier.php';

use JobCollector\Verifier;

$read = fn (string $name): array => json_decode(file_get_contents("$argv[1]/$name"), true, 512, JSON_THROW_ON_ERROR);
$expect = function (bool $ok, string $what): void {
    if (!$ok) {
        fwrite(STDERR, "$what\n");
        exit(1);
    }
};

/** A guard in memory, for the vectors: a site keeps it in Redis or in its database. */
$guard = function (int $capacity): Closure {
    $seen = [];
    $forgotten = [];
    return function (string $id, int $timestamp, string $signature, int $nowMs) use (&$seen, &$forgotten, $capacity) {
        foreach ($seen[$id] ?? [] as $known => $at) {
            if ($nowMs - $at * 1000 >= 300_000) {
                unset($seen[$id][$known]);
                $forgotten[$id] = max($forgotten[$id] ?? 0, $at);
            }
        }
        if ($timestamp <= ($forgotten[$id] ?? -1) || isset($seen[$id][$signature])) {
            return 'Replay';
        }
        if (count($seen[$id] ?? []) >= $capacity) {
            return 'ReplayGuardFull';
        }
        $seen[$id][$signature] = $timestamp;
        return 'ok';
    };
};

$requests = $read('requests.json');
$services = array_map(fn (array $keys): array => array_map('hex2bin', $keys), $requests['services']);
foreach ($requests['vectors'] as $vector) {
    $capacity = $vector['replay_guard'] ?? null;
    $admit = $capacity === null ? null : $guard(intdiv($capacity, count($services)));
    $verifier = new Verifier($services, $admit);
    foreach ($vector['steps'] as $step) {
        $body = base64_decode($step['body_base64'], true);
        [$reason] = $verifier->verify($step['method'], $step['headers'], $body, $step['now_ms']);
        $expect($reason === $step['expected'], "$vector[id]: $reason, not $step[expected]");
    }
}

$keys = $read('keys.json');
foreach ($keys['taken'] as ['key' => $key, 'key_id' => $id]) {
    $expect(Verifier::mayBeTrusted(hex2bin($key)) && Verifier::keyId(hex2bin($key)) === $id, $id);
}
foreach ($keys['refused'] as ['key' => $key, 'why' => $why]) {
    $expect(!Verifier::mayBeTrusted(hex2bin($key)), $why);
}

$signatures = $read('ed25519.json')['vectors'];
foreach ($signatures as $case) {
    [$key, $message, $signature] = array_map('hex2bin', [$case['key'], $case['message'], $case['signature']]);
    $ok = Verifier::mayBeTrusted($key) && Verifier::verifies($key, $message, $signature);
    $expect($ok === $case['ok'], $case['id']);
}

$counted = count($keys['taken']) + count($keys['refused']);
echo count($requests['vectors']), " requests, $counted keys, ", count($signatures), " signatures\n";
