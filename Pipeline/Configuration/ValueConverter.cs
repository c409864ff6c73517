using System.Collections.Immutable;
using System.Globalization;

namespace OrdersStream.Configuration;

/// <summary>From text to the property's type, checked against the key's range or words.</summary>
internal static class ValueConverter
{
    /// <summary>False when the value does not fit (the fault is noted). A null result means: as if not given.</summary>
    public static bool TryConvert(GivenValue value, FaultList faults, out object? result)
    {
        var fault = Convert(value, out result);
        if (fault is not null) faults.Add(value.Origin, fault);
        return fault is null;
    }

    private static string? Convert(GivenValue value, out object? result)
    {
        result = null;
        if (value.Setting.Kind == SettingKind.List) return ToList(value, out result);
        if (value.Setting.Kind == SettingKind.Map) return ToMap(value, out result);
        if (value.Text.Any(char.IsControl))
            return value.Text[^1] is '\n' or '\r'
                ? $"{value.Label} ends in a line break; remove it"
                : $"{value.Label} holds a control character; remove it";
        if (string.IsNullOrWhiteSpace(value.Text))
            return value.Setting.MayBeEmpty ? null : $"{value.Label} is empty; give a value, or remove it";
        return value.Setting.Kind == SettingKind.Number ? ToNumber(value, out result) : ToText(value, out result);
    }

    private static string? ToNumber(GivenValue value, out object? result)
    {
        result = null;
        var setting = value.Setting;
        var digits = value.Text.Trim();
        var isNumber = digits.Length > 0
            && digits.AsSpan(digits[0] == '-' ? 1 : 0) is { Length: > 0 } rest && !rest.ContainsAnyExceptInRange('0', '9');
        if (!isNumber)
            return $"{value.Label} is {ShownValue.Of(setting, value.Text)}, which is no whole number; it must be {setting.Range}";
        if (!long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            || number < setting.Min || number > setting.Max)
            return $"{value.Label} is {(setting.Secret ? ShownValue.Mask : Short(digits))}, which is out of range; "
                + $"it must be {setting.Range}";
        var type = Nullable.GetUnderlyingType(setting.Property.PropertyType) ?? setting.Property.PropertyType;
        result = type == typeof(int) ? (object)(int)number : number;
        return null;
    }

    private static string Short(string digits) => digits.Length <= 20 ? digits : digits[..20] + "...";

    private static string? ToText(GivenValue value, out object? result)
    {
        result = value.Text;
        var words = value.Setting.OneOf;
        if (words.Count == 0) return null;
        result = words.FirstOrDefault(w => w.Equals(value.Text.Trim(), StringComparison.OrdinalIgnoreCase));
        return result is not null ? null
            : $"{value.Label} is {ShownValue.Of(value.Setting, value.Text)}; it must be {value.Setting.Range}"
                + NearestName.Suggestion(value.Text, words);
    }

    private static string? ToList(GivenValue value, out object? result)
    {
        var items = value.Items ?? value.Text.Split(',', StringSplitOptions.TrimEntries);
        if (value.Items is null && items is [""]) items = [];
        result = items.Count == 0 ? null : items;
        if (items.Any(i => i.Any(char.IsControl))) return $"an element of {value.Label} holds a control character; remove it";
        if (items.Any(string.IsNullOrWhiteSpace)) return $"an element of {value.Label} is empty; remove it";
        return items.GroupBy(i => i).FirstOrDefault(g => g.Count() > 1) is { } twice
            ? $"{value.Label} names {ShownValue.Of(value.Setting, twice.Key)} twice"
            : null;
    }

    // As a mapping of the file comes, too: an element for each of its lines.
    private static string? ToMap(GivenValue value, out object? result)
    {
        result = null;
        var items = value.Items ?? value.Text.Split(';', StringSplitOptions.TrimEntries);
        if (items is [] or [""]) return null;
        if (items.Any(i => i.Any(char.IsControl))) return $"an element of {value.Label} holds a control character; remove it";
        var map = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            var equals = item.LastIndexOf('=');
            if (equals <= 0 || equals == item.Length - 1)
                return $"{value.Label} holds {ShownValue.Of(item)}; it must be name=value, and a semicolon between two";
            var name = item[..equals].Trim();
            if (!map.TryAdd(name, item[(equals + 1)..].Trim())) return $"{value.Label} names {ShownValue.Of(name)} twice";
        }
        result = map.ToImmutable();
        return null;
    }
}
