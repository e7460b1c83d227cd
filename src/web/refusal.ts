/** Why a request is not served: says nothing about this device. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function refusal(status: number, code: string, headers?: Refusal["headers"]): Refusal {
  return headers === undefined ? { status, code } : { status, code, headers };
}
