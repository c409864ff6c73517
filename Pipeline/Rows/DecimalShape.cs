namespace OrdersStream.Rows;

/// <summary>
/// The DECIMAL that holds every value of a numeric(p,s) exactly: precision at most 38, scale from 0 to the precision.
/// </summary>
public readonly record struct DecimalShape(int Precision, int Scale)
{
    /// <summary>Most digits that a Parquet DECIMAL's readers agree on; an Int128 holds as many.</summary>
    public const int MaxPrecision = 38;

    /// <summary>
    /// The shape of a numeric, or null where only text is exact: no declared scale, or more than 38 digits.
    /// A negative scale rounds left of the point, so its values have |s| more digits there and none behind it;
    /// a scale above the precision means leading zeros behind the point, which a DECIMAL counts as digits.
    /// </summary>
    public static DecimalShape? Of(ColumnType type)
    {
        if (type is not { Kind: ColumnKind.Numeric, Precision: { } p, Scale: { } s }) return null;
        var shape = s < 0 ? new DecimalShape(p - s, 0) : new DecimalShape(Math.Max(p, s), s);
        return shape.Precision <= MaxPrecision ? shape : null;
    }
}
