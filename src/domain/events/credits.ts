/** Credits that a transcription of so many seconds of audio costs: `max(1, floor(seconds × 5.555556 + 0.5))`. */
export const creditsForAudio = (seconds: number): number => Math.max(1, Math.floor(seconds * 5.555556 + 0.5))
