using System.Buffers;
using System.Buffers.Text;

namespace OrdersStream.Rows;

/// <summary>
/// A place in one message, and the row that its values go to. The message is copied to the row's bytes once, and text
/// cells point into the copy; only what must be changed (escapes, base64) is written behind it.
/// </summary>
internal ref partial struct MessageParser
{
    private readonly ReadOnlySpan<byte> json;
    private readonly DecodedRow row;
    private int at;

    public MessageParser(ReadOnlySpan<byte> json, DecodedRow row)
    {
        this.json = json;
        this.row = row;
        row.Elements.Clear();
        row.Bytes.Clear();
        row.Bytes.Append(json);
    }

    public readonly bool AtEnd => at == json.Length;

    public bool TrySkip(ReadOnlySpan<byte> expected)
    {
        if (!json[at..].StartsWith(expected)) return false;
        at += expected.Length;
        return true;
    }

    /// <summary>Skips whitespace, then <paramref name="token"/> if it is there.</summary>
    public bool TrySkipToken(byte token)
    {
        SkipWhitespace();
        if (at == json.Length || json[at] != token) return false;
        at++;
        return true;
    }

    public bool AtEndBehindWhitespace()
    {
        SkipWhitespace();
        return AtEnd;
    }

    public ReadOnlySpan<byte> ReadName(int member)
    {
        SkipWhitespace();
        var fault = TryReadString(out var start, out var length);
        return fault is null
            ? row.Bytes.Written.Slice(start, length)
            : throw new UndecodableException($"the name of member {member}: {fault}");
    }

    /// <summary>Reads the value of a column into its cell.</summary>
    public void ReadValue(ExpectedColumn column, int index)
    {
        SkipWhitespace();
        ref var cell = ref row.Cells[index];
        if (Next == 'n' && TrySkip("null"u8))
        {
            if (!column.Nullable) throw column.Wrong("null, but the column is NOT NULL");
            cell = new Cell { IsNull = true };
        }
        else if (column.IsArray) ReadArray(column, ref cell);
        else ReadScalar(column, ref cell);
    }

    /// <summary>The byte at this place; 0 at the end, which begins no token.</summary>
    private readonly byte Next => at < json.Length ? json[at] : (byte)0;

    private void SkipWhitespace()
    {
        while (at < json.Length && json[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') at++;
    }

    /// <summary>One level only: an element that opens another array is no value of the column, so nothing here recurses.</summary>
    private void ReadArray(ExpectedColumn column, ref Cell cell)
    {
        var first = row.Elements.Count;
        if (!TrySkipToken((byte)'[')) throw column.Unexpected();
        while (!TrySkipToken((byte)']'))
        {
            if (row.Elements.Count > first && !TrySkipToken((byte)',')) throw column.Unexpected();
            SkipWhitespace();
            var element = new Cell();
            if (Next == 'n' && TrySkip("null"u8)) element.IsNull = true;
            else ReadScalar(column, ref element);
            row.Elements.Add(element);
        }
        cell = new Cell { Start = first, Length = row.Elements.Count - first };
    }

    private void ReadScalar(ExpectedColumn column, ref Cell cell)
    {
        switch (column.Kind)
        {
            case ColumnKind.SmallInt or ColumnKind.Integer or ColumnKind.BigInt: ReadInteger(column, ref cell); break;
            case ColumnKind.Numeric: ReadNumeric(column, ref cell); break;
            case ColumnKind.Real or ColumnKind.Double: ReadFloat(column, ref cell); break;
            case ColumnKind.Boolean: ReadBoolean(column, ref cell); break;
            case ColumnKind.Text or ColumnKind.Json or ColumnKind.Jsonb: ReadString(column, ref cell); break;
            case ColumnKind.Uuid: ReadUuid(column, ref cell); break;
            case ColumnKind.Bytea: ReadBytea(column, ref cell); break;
            default: ReadCalendar(column, ref cell); break;
        }
    }

    private void ReadBoolean(ExpectedColumn column, ref Cell cell)
    {
        if (TrySkip("true"u8)) cell = new Cell { Bits = 1 };
        else if (TrySkip("false"u8)) cell = default;
        else throw column.Unexpected();
    }

    private void ReadCalendar(ExpectedColumn column, ref Cell cell)
    {
        var text = ReadString(column, ref cell);
        long bits;
        var valid = true;
        switch (column.Kind)
        {
            case ColumnKind.Date:
                valid = CalendarParser.TryDate(text, out var days);
                bits = days;
                break;
            case ColumnKind.Time: valid = CalendarParser.TryTime(text, out bits); break;
            case ColumnKind.Timestamp: valid = CalendarParser.TryTimestamp(text, zoned: false, out bits); break;
            case ColumnKind.TimestampTz: valid = CalendarParser.TryTimestamp(text, zoned: true, out bits); break;
            default: throw column.Wrong("this program cannot decode the column's type");
        }
        if (!valid) throw column.Unexpected();
        cell = new Cell { Bits = bits };
    }

    private void ReadUuid(ExpectedColumn column, ref Cell cell)
    {
        var text = ReadString(column, ref cell);
        if (text.Length != 36) throw column.Unexpected();
        var lower = true;
        for (var i = 0; i < text.Length; i++)
        {
            var b = text[i];
            if (i is 8 or 13 or 18 or 23 ? b != '-' : !char.IsAsciiHexDigit((char)b)) throw column.Unexpected();
            if (b is >= (byte)'A' and <= (byte)'F') lower = false;
        }
        if (lower) return;
        cell.Start = row.Bytes.Length;
        foreach (var b in text) row.Bytes.Append(char.IsAsciiLetterUpper((char)b) ? (byte)(b | 0x20) : b);
    }

    private void ReadBytea(ExpectedColumn column, ref Cell cell)
    {
        var text = ReadString(column, ref cell);
        var start = row.Bytes.Length;
        var room = row.Bytes.GetSpan(Base64.GetMaxDecodedFromUtf8Length(text.Length));
        if (Base64.DecodeFromUtf8(text, room, out _, out var written) != OperationStatus.Done) throw column.Unexpected();
        row.Bytes.Advance(written);
        cell = new Cell { Start = start, Length = written };
    }
}
