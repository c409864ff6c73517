using System.Collections.Immutable;
using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>A column as the catalogue has it; of a domain, its base type.</summary>
/// <param name="Number"><c>attnum</c>.</param>
/// <param name="Name">Its name.</param>
/// <param name="NotNull">It holds no NULL.</param>
/// <param name="Format">Its type as SQL names it.</param>
/// <param name="TypeName"><c>typname</c>, of an array its element's.</param>
/// <param name="TypeType"><c>typtype</c> of the same.</param>
/// <param name="Modifier">Of the type.</param>
/// <param name="IsArray">It is an array.</param>
/// <param name="Collation">Where it is not its type's own.</param>
/// <param name="Changed">Its collation, where it sorts otherwise than it may have; asked of columns of unique indexes only.</param>
/// <param name="BaseFormat">As <paramref name="Format"/>, of a domain its base type.</param>
/// <param name="Labels">Digest of an enum's labels.</param>
internal sealed record SourceAttribute(
    short Number, string Name, bool NotNull, string Format, string TypeName, char TypeType, int Modifier, bool IsArray, string? Collation,
    ChangedCollation? Changed, string BaseFormat, string? Labels);

/// <summary>
/// Which columns of the table leave it, and as what: by their types, and by what the configuration says of single ones. What cannot be
/// carried is refused by name, all of it at once.
/// </summary>
internal sealed class CarriedColumns
{
    private readonly PostgresOptions options;
    private readonly string table;
    private readonly List<SourceAttribute> attributes = [];
    private readonly ImmutableArray<Column>.Builder columns = ImmutableArray.CreateBuilder<Column>();
    private readonly ImmutableArray<string>.Builder expressions = ImmutableArray.CreateBuilder<string>();
    private readonly List<string> skipped = [];
    private readonly List<string> refused = [];
    private readonly ColumnMask? mask;

    /// <exception cref="PipelineException">A column that cannot be carried; a name in the configuration that is none.</exception>
    public CarriedColumns(IReadOnlyList<SourceAttribute> all, PostgresOptions options, string table)
    {
        (this.options, this.table) = (options, table);
        mask = options.MaskKey is { Length: > 0 } key ? new ColumnMask(key) : null;
        CheckNames(all);
        foreach (var attribute in all.Where(IsWanted)) Take(attribute, all);
        if (refused.Count > 0)
            throw Stop(
                $"Table {table} has columns that cannot be carried: {string.Join(", ", refused)}.",
                "Leave them out by postgres.exclude_columns, carry types that are not known as text by postgres.other_types: text, "
                + $"or convert them. Carried are: {TypeTable.Carried}.");
        Excluded = [.. all.Except(attributes).Select(a => a.Name)];
    }

    /// <summary>Those that are carried, as the catalogue has them, in the table's order.</summary>
    public List<SourceAttribute> Attributes => attributes;

    /// <summary>The same as they are carried.</summary>
    public ImmutableArray<Column> Columns => columns.ToImmutable();

    /// <summary>How each is selected.</summary>
    public ImmutableArray<string> Expressions => expressions.ToImmutable();

    /// <summary>Those that are not.</summary>
    public ImmutableArray<string> Excluded { get; }

    /// <summary>Whether a column is carried as Postgres has it, so that rows can be ordered by what was read of it.</summary>
    public bool IsAsItIs(int column) => expressions[column] == Sql.Identifier(columns[column].Name);

    /// <summary>What a reader of the lake will find, and not expect; one sentence each.</summary>
    public IEnumerable<Advice> Warnings()
    {
        if (skipped.Count > 0)
            yield return new("columns",
                $"not carried, since postgres.other_types is skip: {string.Join(", ", skipped)}",
                "postgres.other_types: text carries them as Postgres prints them");
        if (NamesOf(c => !options.Numeric.ContainsKey(c.Name) && IsNumericAsText(c.Type)) is { Count: > 0 } numeric)
            yield return new("columns",
                $"numeric without a scale is text in the lake, which readers cannot add up, and compare letter by letter: "
                + string.Join(", ", numeric),
                $"say a precision and a scale for it, as postgres.numeric: {{{numeric[0]}: \"18,4\"}}, or "
                + $"\"text\" if it is to be so; {OldFiles}");
        if (options.Time is null && NamesOf(c => c.Type.Kind == ColumnKind.Time) is { Count: > 0 } times)
            yield return new("columns",
                $"Spark 3 cannot read a lake with a column of type time, whatever columns it asks for, nor pandas the time 24:00: "
                + string.Join(", ", times),
                $"say postgres.time: text for text, or time if it is to be so; {OldFiles}");
    }

    private const string OldFiles = "files that are there stay as they are, so a stream that has captured rows is begun anew for it";

    private static bool IsNumericAsText(ColumnType type) => type.Kind == ColumnKind.Numeric && DecimalShape.Of(type) is null;

    private List<string> NamesOf(Func<Column, bool> isMeant) => [.. columns.Where(isMeant).Select(c => c.Name)];

    private void CheckNames(IReadOnlyList<SourceAttribute> all)
    {
        (string Setting, IEnumerable<string> Names)[] given =
        [
            ("columns", options.Columns), ("exclude_columns", options.ExcludeColumns), ("mask", options.Mask),
            ("numeric", options.Numeric.Keys),
        ];
        foreach (var (setting, names) in given)
            foreach (var name in names)
                if (all.All(a => a.Name != name)) throw NoColumn(name, setting, all.Select(a => a.Name), table);
        if (options.Numeric.Keys.FirstOrDefault(n => all.First(a => a.Name == n).TypeName != "numeric") is { } other)
            throw Stop(
                $"Column {other} of {table}, which postgres.numeric names, is of type {all.First(a => a.Name == other).Format}.",
                "Name columns of type numeric only.");
    }

    /// <summary>A configured column that the table does not have.</summary>
    public static PipelineException NoColumn(string name, string setting, IEnumerable<string> names, string table)
    {
        var known = names.ToList();
        var folded = known.Find(k => k.Equals(name, StringComparison.OrdinalIgnoreCase));
        var hint = folded is not null ? $"There is {folded}: capitals and small letters count. "
            : NearestName.Of(name, known) is { } near ? $"Did you mean {near}? " : "";
        return Stop(
            $"Table {table} has no column {name}, which postgres.{setting} names.",
            $"{hint}Correct postgres.{setting}; its columns are {string.Join(", ", known)}.");
    }

    private bool IsWanted(SourceAttribute a) =>
        (options.Columns.Count == 0 || options.Columns.Contains(a.Name)) && !options.ExcludeColumns.Contains(a.Name);

    private void Take(SourceAttribute a, IReadOnlyList<SourceAttribute> all)
    {
        if (LakeColumns.Contains(a.Name)) refused.Add($"{a.Name} (the name is taken by a column of the lake)");
        else if (all.FirstOrDefault(b => b != a && IsWanted(b) && ReaderNames.AreOne(a.Name, b.Name)) is { } twin)
            refused.Add($"{a.Name} (readers of the lake take it and {twin.Name} for one)");
        else if (options.Mask.Contains(a.Name) && mask is not null)
            Add(a, new ColumnType(ColumnKind.Text, $"{a.Format} masked by key {mask.Name}"), AsText(a), mask);
        else if (!TypeTable.TryResolve(a.TypeName, a.TypeType, a.Modifier, a.IsArray, a.Format, out var type))
            TakeOther(a);
        else if (type.Kind == ColumnKind.Numeric && options.Numeric.TryGetValue(a.Name, out var shape)
            && shape != PostgresOptions.NumericText)
            Add(a, WithShape(type, shape), Sql.Identifier(a.Name));
        else if (type.Kind == ColumnKind.Time && options.Time == "text")
            Add(a, type with { Kind = ColumnKind.Text }, type.IsArray ? AsText(a) + "[]" : AsText(a));
        else Add(a, type, Sql.Identifier(a.Name));
    }

    private void TakeOther(SourceAttribute a)
    {
        if (options.OtherTypes == "text") Add(a, new ColumnType(ColumnKind.Text, a.Format), AsText(a));
        else if (options.OtherTypes == "skip") skipped.Add($"{a.Name} ({a.Format})");
        else refused.Add($"{a.Name} ({a.Format})");
    }

    private void Add(SourceAttribute a, ColumnType type, string expression, ColumnMask? by = null)
    {
        attributes.Add(a);
        columns.Add(new Column(a.Name, type, !a.NotNull) { Mask = by });
        expressions.Add(expression);
    }

    /// <summary>Of those columns by which rows are not ordered, infinity is carried as NULL, where that is configured.</summary>
    public void DropInfinity(IReadOnlySet<int> ordering)
    {
        if (options.Infinity != "null") return;
        for (var i = 0; i < columns.Count; i++)
        {
            if (ordering.Contains(i) || columns[i].Type is not
                { IsArray: false, Kind: ColumnKind.Date or ColumnKind.Timestamp or ColumnKind.TimestampTz }) continue;
            expressions[i] = $"CASE WHEN isfinite({expressions[i]}) THEN {expressions[i]} END";
            columns[i] = columns[i] with { Nullable = true };
        }
    }

    private static string AsText(SourceAttribute a) => $"{Sql.Identifier(a.Name)}::text";

    // The name stays as SQL has it: values are read as before, and only those that fit are carried.
    private static ColumnType WithShape(ColumnType type, string shape)
    {
        var parts = shape.Split(',');
        return type with
        {
            Precision = int.Parse(parts[0], CultureInfo.InvariantCulture), Scale = int.Parse(parts[1], CultureInfo.InvariantCulture),
        };
    }

    private static PipelineException Stop(string problem, string remedy) => new(FailureAction.Stop, problem, remedy);
}
