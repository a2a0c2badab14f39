/** The credits that a transcription costs, by the seconds of its audio: `max(1, floor(seconds × 5.555556 + 0.5))`. */
export const creditsForAudio = (seconds: number): number => Math.max(1, Math.floor(seconds * 5.555556 + 0.5))
