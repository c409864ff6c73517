using System.Text;

namespace OrdersStream.Rows;

/// <summary>
/// What a row version says of its row: that it stands so, or that it is gone. Other producers may have further words, which are
/// carried as they are.
/// </summary>
public static class RowOp
{
    public const string Upsert = "upsert";
    public const string Delete = "delete";

    public static ReadOnlySpan<byte> UpsertUtf8 => "upsert"u8;
    public static ReadOnlySpan<byte> DeleteUtf8 => "delete"u8;

    /// <summary>The word that is stored. It is one of few: an object a row would be a waste.</summary>
    public static string Of(ReadOnlySpan<byte> utf8) =>
        utf8.SequenceEqual(UpsertUtf8) ? Upsert : utf8.SequenceEqual(DeleteUtf8) ? Delete : Encoding.UTF8.GetString(utf8);
}
