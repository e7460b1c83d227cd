/**
 * What Home Assistant demands of entities that come by MQTT discovery, written from its documentation and not from our
 * code: keys by platform, device classes with their units and state classes.
 */

export interface PlatformRules {
  readonly required: readonly string[];
  readonly optional: readonly string[];
  readonly deviceClasses: readonly string[];
  /** A sensor that is a setting is refused. */
  readonly isSetting: boolean;
}

/** Of every platform. */
export const commonKeys: readonly string[] = [
  ...["platform", "unique_id", "name", "object_id", "default_entity_id", "icon", "entity_picture", "qos", "encoding"],
  ...["entity_category", "enabled_by_default", "json_attributes_topic", "json_attributes_template"],
  ...["availability", "availability_topic", "availability_mode", "availability_template"],
  ...["payload_available", "payload_not_available"],
];

const stated = ["state_topic", "value_template"];
const commanded = ["command_template", "retain", "optimistic"];

export const platforms: Readonly<Record<string, PlatformRules>> = {
  binary_sensor: {
    required: ["state_topic"],
    optional: [...stated, "device_class", "payload_on", "payload_off", "off_delay", "expire_after", "force_update"],
    deviceClasses: ["connectivity", "motion", "occupancy", "problem", "running", "update"],
    isSetting: false,
  },
  sensor: {
    required: ["state_topic"],
    optional: [
      ...[...stated, "device_class", "state_class", "unit_of_measurement", "options", "expire_after", "force_update"],
      ...["suggested_display_precision", "last_reset_value_template"],
    ],
    deviceClasses: ["timestamp", "duration", "data_size", "temperature", "enum"],
    isSetting: false,
  },
  image: {
    required: [],
    optional: ["image_topic", "url_topic", "url_template", "content_type", "image_encoding"],
    deviceClasses: [],
    isSetting: true,
  },
  button: {
    required: ["command_topic"],
    optional: [...commanded, "device_class", "payload_press"],
    deviceClasses: ["identify", "restart", "update"],
    isSetting: true,
  },
  switch: {
    required: ["command_topic"],
    optional: [...[...stated, ...commanded, "device_class", "payload_on", "payload_off", "state_on", "state_off"]],
    deviceClasses: ["outlet", "switch"],
    isSetting: true,
  },
  number: {
    required: ["command_topic"],
    optional: [
      ...[...stated, ...commanded, "device_class", "unit_of_measurement", "min", "max", "step", "mode"],
      "payload_reset",
    ],
    deviceClasses: ["duration", "data_size", "temperature"],
    isSetting: true,
  },
  select: {
    required: ["command_topic", "options"],
    optional: [...stated, ...commanded],
    deviceClasses: [],
    isSetting: true,
  },
};

/** Units of a device class; none may be given for an empty list. */
export const units: Readonly<Record<string, readonly string[]>> = {
  timestamp: [],
  enum: [],
  duration: ["d", "h", "min", "s", "ms"],
  data_size: ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB"],
  temperature: ["°C", "°F", "K"],
};

/** State classes of a sensor's device class. */
export const stateClasses: Readonly<Record<string, readonly string[]>> = {
  timestamp: [],
  enum: [],
  duration: ["measurement", "total", "total_increasing"],
  data_size: ["measurement", "total", "total_increasing"],
  temperature: ["measurement"],
};

export const anyStateClass = ["measurement", "total", "total_increasing"];

/** At the top of a device's message, of which these reach its entities. */
export const inheritedKeys: readonly string[] = [
  ...["availability", "availability_topic", "availability_mode", "availability_template"],
  ...["payload_available", "payload_not_available", "state_topic", "command_topic", "qos", "encoding"],
];

export const deviceKeys: readonly string[] = [
  ...["identifiers", "connections", "name", "manufacturer", "model", "model_id", "serial_number", "sw_version"],
  ...["hw_version", "suggested_area", "configuration_url", "via_device"],
];
