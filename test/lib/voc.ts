/** A Pascal VOC annotation as people's own tools write it, with one person. */
export function sampleVoc(image: { readonly name: string; readonly width: number; readonly height: number }): string {
  const { name, width, height } = image;
  return `<?xml version="1.0" encoding="utf-8"?>
<!-- made by hand -->
<annotation verified="yes">
\t<folder>images</folder>
\t<filename>${name}</filename>
\t<size><width>${width}</width><height>${height}</height><depth>3</depth></size>
\t<segmented>0</segmented>
\t<object>
\t\t<name>person</name>
\t\t<bndbox><xmin>4</xmin><ymin>2</ymin><xmax>24</xmax><ymax>11</ymax></bndbox>
\t</object>
</annotation>
`;
}
