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

    /// <summary>The same of a value of a decoded row, which is no array and not NULL.</summary>
    public static string Of(ColumnType type, DecodedRow row, in Cell cell)
    {
        var bytes = row.Bytes.Written.Slice(cell.Start, cell.Length);
        switch (type.Kind)
        {
            case ColumnKind.Bytea: return "\\x" + Convert.ToHexStringLower(bytes);
            case ColumnKind.Text or ColumnKind.Json or ColumnKind.Jsonb or ColumnKind.Uuid: return Encoding.UTF8.GetString(bytes);
        }
        var buffer = new ByteBuffer(64);
        MessageWriter.WriteValue(type, row, cell, buffer);
        var json = Encoding.UTF8.GetString(buffer.Written).Trim('"');
        if (json.EndsWith("infinity", StringComparison.Ordinal)) return json;
        if (type.Kind == ColumnKind.Date) return string.Concat(DateAndEra(cell.Bits));
        return type.Kind is ColumnKind.Timestamp or ColumnKind.TimestampTz
            ? WithTime(json, Calendar.SplitDay(cell.Bits).Days, type.Kind)
            : json;
    }

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
        return string.Concat(DateAndEra(BinaryPrimitives.ReadInt32BigEndian(field) + (long)Calendar.PostgresEpochDays));
    }

    private static string Timestamp(Column column, ReadOnlySpan<byte> field)
    {
        var json = Json(column, field).Trim('"');
        if (json.EndsWith("infinity", StringComparison.Ordinal)) return json;
        var (days, _) = Calendar.SplitDay(BinaryPrimitives.ReadInt64BigEndian(field));
        return WithTime(json, days + Calendar.PostgresEpochDays, column.Type.Kind);
    }

    private static string WithTime(string json, long days, ColumnKind kind)
    {
        var parts = DateAndEra(days);
        var time = json[(json.IndexOf('T') + 1)..].TrimEnd('Z');
        return $"{parts[0]} {time}{(kind == ColumnKind.TimestampTz ? "+00" : "")}{parts[1]}";
    }

    /// <summary>Postgres has no year 0: what ISO 8601 calls so is 1 BC.</summary>
    private static string[] DateAndEra(long daysSince1970)
    {
        var (year, month, day) = Calendar.ToCivil(daysSince1970);
        var text = string.Create(CultureInfo.InvariantCulture, $"{(year > 0 ? year : 1 - year):D4}-{month:D2}-{day:D2}");
        return [text, year > 0 ? "" : " BC"];
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
