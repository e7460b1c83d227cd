import type { Metric } from "./metric.ts";
import { metricsOfDelivery } from "./metrics-of-delivery.ts";
import { metricsOfDevice } from "./metrics-of-device.ts";
import { metricsOfWork } from "./metrics-of-work.ts";

/** Every metric there is; docs/metrics.md is made from it. */
export const metricTable: readonly Metric[] = [...metricsOfDevice, ...metricsOfWork, ...metricsOfDelivery];

export const metricPrefix = "framepost_";
