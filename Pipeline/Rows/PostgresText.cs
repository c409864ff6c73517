using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>
/// A field of a COPY tuple as text that Postgres reads back to the very same value, whatever the session's settings.
/// For cursors, which are few: it allocates.
/// </summary>
internal static class PostgresText
{
    public static string Of(Column column, ReadOnlySpan<byte> field) => column.Type.IsArray ? Array(column, field) : Scalar(column, field);

    private static string Scalar(Column column, ReadOnlySpan<byte> field) => column.Type.Kind switch
    {
        ColumnKind.Date => Date(column, field),
        ColumnKind.Timestamp or ColumnKind.TimestampTz => Timestamp(column, field),
        ColumnKind.Bytea => "\\x" + Convert.ToHexStringLower(field),
        ColumnKind.Text or ColumnKind.Json => Encoding.UTF8.GetString(field),
        ColumnKind.Jsonb => JsonbText(column, field),
        // Numbers, their NaN and infinities, true and false, uuids and times: JSON's form without its quotes is Postgres' own.
        _ => Json(column, field).Trim('"'),
    };

    private static string Json(Column column, ReadOnlySpan<byte> field)
    {
        var buffer = new ByteBuffer(64);
        CopyField.WriteJson(buffer, column with { Type = column.Type with { IsArray = false } }, field);
        return Encoding.UTF8.GetString(buffer.Written);
    }

    private static string JsonbText(Column column, ReadOnlySpan<byte> field)
    {
        Json(column, field);
        return Encoding.UTF8.GetString(CopyField.RawText(ColumnKind.Jsonb, field));
    }

    private static string Date(Column column, ReadOnlySpan<byte> field)
    {
        var json = Json(column, field).Trim('"');
        if (json.EndsWith("infinity", StringComparison.Ordinal)) return json;
        var (date, era) = DateAndEra(BinaryPrimitives.ReadInt32BigEndian(field));
        return date + era;
    }

    private static string Timestamp(Column column, ReadOnlySpan<byte> field)
    {
        var json = Json(column, field).Trim('"');
        if (json.EndsWith("infinity", StringComparison.Ordinal)) return json;
        var (days, _) = Calendar.SplitDay(BinaryPrimitives.ReadInt64BigEndian(field));
        var (date, era) = DateAndEra(days);
        var time = json[(json.IndexOf('T') + 1)..].TrimEnd('Z');
        return $"{date} {time}{(column.Type.Kind == ColumnKind.TimestampTz ? "+00" : "")}{era}";
    }

    /// <summary>Postgres has no year 0: what ISO 8601 calls so is 1 BC.</summary>
    private static (string Date, string Era) DateAndEra(long daysSince2000)
    {
        var (year, month, day) = Calendar.ToCivil(daysSince2000 + Calendar.PostgresEpochDays);
        var text = string.Create(CultureInfo.InvariantCulture, $"{(year > 0 ? year : 1 - year):D4}-{month:D2}-{day:D2}");
        return (text, year > 0 ? "" : " BC");
    }

    /// <summary>Every element in quotes, so that none is taken for syntax or for NULL.</summary>
    private static string Array(Column column, ReadOnlySpan<byte> field)
    {
        var elements = CopyArray.Open(column, field, out var count);
        var text = new StringBuilder("{");
        for (var i = 0; i < count; i++)
        {
            if (i > 0) text.Append(',');
            if (CopyArray.TryNext(column, ref elements, out var element))
                text.Append('"').Append(Scalar(column, element).Replace("\\", "\\\\").Replace("\"", "\\\"")).Append('"');
            else
                text.Append("NULL");
        }
        return text.Append('}').ToString();
    }
}
