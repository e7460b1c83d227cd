/** An ffmpeg camera as a config has it that names no more than its input. */
export const usualFfmpeg = {
  transport: "tcp",
  encoding: "auto",
  quality: 85,
  loop: true,
  paced: true,
  program: "ffmpeg",
  insecureSkipVerify: false,
  intervalMs: 50,
} as const;
