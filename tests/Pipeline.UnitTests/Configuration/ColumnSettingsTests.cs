using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Configuration;

/// <summary>What the configuration says of single columns, and how the lake's folders are named.</summary>
public sealed class ColumnSettingsTests
{
    private const string Table = "table: <rollnumber>_orders";

    [Theory]
    [InlineData("numeric: {amount: \"18,4\", \"The total\": \"38,0\"}")]
    [InlineData("numeric:\n    amount: 18,4\n    The total: \"38,0\"")]
    public void a_mapping_is_read_in_either_form_and_printed_so_that_it_can_be_read_again(string lines)
    {
        using var file = ConfigurationFile.PlanWith(Table, $"{Table}\n  {lines}");
        var numeric = file.Load().Postgres.Numeric;
        Assert.Equal([KeyValuePair.Create("The total", "38,0"), KeyValuePair.Create("amount", "18,4")], numeric);
        using var printed = new ConfigurationFile(ConfigurationLoader.Print(file.Load()));
        Assert.Equal(numeric, printed.Load().Postgres.Numeric);
    }

    [Fact]
    public void a_mapping_can_be_set_by_variable_and_option()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal("18,4", file.Load(["postgres.numeric=amount=18,4;total=9,2"]).Postgres.Numeric["amount"]);
        Assert.Equal("9,2", file.Load(environment: new() { ["Postgres__Numeric"] = "amount=18,4; total=9,2" }).Postgres.Numeric["total"]);
        Assert.Empty(file.Load(["postgres.numeric="]).Postgres.Numeric);
    }

    [Fact]
    public void blanks_about_a_comma_do_not_count()
    {
        using var file = ConfigurationFile.PlanWith(Table, $"{Table}\n  numeric: {{amount: \"18, 4\"}}");
        Assert.Equal("18, 4", file.Load().Postgres.Numeric["amount"]);
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "numeric: {amount: \"39,4\"}", "postgres.numeric gives 'amount' the shape '39,4'; it must be \"precision,scale\"" },
        { "numeric: {amount: \"4,5\"}", "postgres.numeric gives 'amount' the shape '4,5'" },
        {
            "numeric: {amount: 18,4}",
            "postgres.numeric must hold names, each with one value, in quotes where it has a comma, as in {amount: \"18,4\"}"
        },
        { "numeric: {amount: [18]}", "postgres.numeric must hold names, each with one value" },
        { "numeric: {[a]: b}", "postgres.numeric must hold names, each with one value" },
        { "numeric: 18", "postgres.numeric holds '18'; it must be name=value" },
        { "mask: [mail]", "postgres.mask needs postgres.mask_key" },
        { "mask_key: short", "postgres.mask_key is shorter than 16 characters" },
        { "other_types: texts", "postgres.other_types is 'texts'; it must be refuse, text or skip; did you mean 'text'?" },
        { "time: string", "postgres.time is 'string'; it must be time or text" },
    };

    [Theory, MemberData(nameof(Faults))]
    public void a_fault_is_told(string line, string expected)
    {
        using var file = ConfigurationFile.PlanWith(Table, $"{Table}\n  {line}");
        Assert.Contains(expected, Assert.Single(file.Faults()));
    }

    [Theory]
    [InlineData("folder_name: _date", "datalake.folder_name is '_date'; it must be of letters, digits and _")]
    [InlineData("folder_name: a=b", "datalake.folder_name is 'a=b'; it must be of letters")]
    [InlineData("folder_name: ../x", "datalake.folder_name is '../x'; it must be of letters")]
    [InlineData("partition_by: none\n  folder_name: date", "datalake.folder_name has no effect with partition_by none")]
    public void a_folders_name_can_be_read_by_all(string lines, string expected)
    {
        using var file = ConfigurationFile.PlanWith("format: \"parquet\"", $"format: parquet\n  {lines}");
        Assert.Contains(expected, Assert.Single(file.Faults()));
    }

    [Theory]
    [InlineData("~/lake", "'~'")]
    [InlineData("~student/lake", "'~student'")]
    [InlineData("$HOME/lake", "'$HOME'")]
    [InlineData("/srv/$USER/lake", "'$USER'")]
    [InlineData("%USERPROFILE%/lake", "'%USERPROFILE%'")]
    [InlineData("/srv/lake-$USER", "'lake-$USER'")]
    [InlineData("/srv/lake-%USERNAME%-1", "'lake-%USERNAME%-1'")]
    [InlineData("/srv/{{ env }}/lake", "'{{ env }}'")]
    [InlineData("/srv/$(hostname)/lake", "'$(hostname)'")]
    [InlineData("C:\\data\\lake", "'C:\\data\\lake'")]
    public void what_a_shell_would_replace_is_no_folder(string path, string mark)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "is a folder there");
        foreach (var key in (string[])["datalake.path", "streaming.checkpoint_location", "streaming.last_processed_timestamp_location"])
        {
            using var file = new ConfigurationFile(ConfigurationFile.Plan);
            Assert.Contains(file.Faults([$"{key}={path}"]), f => f.Contains(
                $"{key} is '{path}', and {mark} stands for nothing here; write the folder out, or ${{NAME}} for an environment variable",
                StringComparison.Ordinal));
        }
        // As the remedy says.
        using var mended = ConfigurationFile.PlanWith("/datalake/food/<rollnumber>/output/orders", "${HOME}/lake");
        Assert.Equal("/home/student/lake", mended.Load(environment: new() { ["HOME"] = "/home/student" }).Datalake.Path);
    }

    [Theory]
    [InlineData("/srv/lake ")]
    [InlineData("/srv/my /lake")]
    public void a_folders_name_does_not_end_in_a_blank(string path)
    {
        foreach (var key in (string[])["datalake.path", "streaming.checkpoint_location", "streaming.last_processed_timestamp_location"])
        {
            using var file = new ConfigurationFile(ConfigurationFile.Plan);
            Assert.Contains(
                $"--set {key}: {key} is '{path}', and a folder's name in it ends in a blank; remove the blank",
                file.Faults([$"{key}={path}"]));
            Assert.Empty(file.Faults([$"{key}=/srv/my lake/{key}"]));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("/below")]
    [InlineData("/below/it")]
    public void a_file_in_the_place_of_a_folder_is_told(string below)
    {
        foreach (var key in (string[])["datalake.path", "streaming.checkpoint_location", "streaming.last_processed_timestamp_location"])
        {
            using var file = new ConfigurationFile(ConfigurationFile.Plan);
            File.WriteAllText(file.Beside("plain"), "");
            Assert.Contains(
                file.Faults([$"{key}={file.Beside("plain")}{below}"]),
                f => f.Contains($"{key} needs a folder, but '{file.Beside("plain")}' is a file", StringComparison.Ordinal)
                    || f.Contains($"{key} needs a folder, but 'plain' is a file", StringComparison.Ordinal));
            File.Delete(file.Beside("plain"));
            Assert.Empty(file.Faults([$"{key}={file.Beside("plain")}{below}"]));
        }
    }
}
