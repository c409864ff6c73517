namespace OrdersStream.UnitTests.Configuration;

public class PlaceholderTests
{
    private static readonly Dictionary<string, string> Environment =
        new() { ["NAME"] = "value", ["EMPTY"] = "", ["PORT"] = "54", ["RAW"] = "${NAME}<rollnumber>" };

    [Theory]
    [InlineData("${NAME}", "value")]
    [InlineData("a${NAME}b${NAME}", "avaluebvalue")]
    [InlineData("${NAME:-other}", "value")]
    [InlineData("${UNSET:-other}", "other")]
    [InlineData("${EMPTY:-other}", "other")]
    [InlineData("${UNSET:-a:-b}", "a:-b")]
    [InlineData("x${EMPTY}", "x")]
    [InlineData("$${NAME}", "${NAME}")]
    [InlineData("$$${NAME}", "$${NAME}")]
    [InlineData("a$b$$c", "a$b$$c")]
    [InlineData("<rollnumber>-<Rollnumber>", "r1-r1")]
    [InlineData("${RAW}", "${NAME}<rollnumber>")]
    public void a_reference_is_replaced_once(string given, string expected)
    {
        using var file = ConfigurationFile.PlanWith("user: \"student\"", $"user: \"{given}\"");
        Assert.Equal(expected, file.Load(environment: Environment).Postgres.User);
    }

    [Fact]
    public void a_reference_works_inside_a_number_and_a_list_and_an_override()
    {
        using var file = ConfigurationFile.PlanWithServer(
            "  host: h\n  port: ${PORT}3${DIGIT:-2}\n  db: d\n  key_columns: [\"${NAME}\", b]");
        var options = file.Load(["kafka.topic=${NAME}-topic"], Environment);
        Assert.Equal(5432, options.Postgres.Port);
        Assert.Equal(["value", "b"], options.Postgres.KeyColumns);
        Assert.Equal("value-topic", options.Kafka.Topic);
    }

    [Fact]
    public void a_variables_own_value_is_taken_as_it_is_but_for_the_roll_number()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        var options = file.Load(environment: new() { ["Postgres__Password"] = "a${b$${", ["Kafka__Topic"] = "<rollnumber>-x" });
        Assert.Equal("a${b$${", options.Postgres.Password);
        Assert.Equal("r1-x", options.Kafka.Topic);
    }

    [Theory]
    [InlineData("${UNSET}",
        "test.yml:6:9: postgres.user needs the environment variable UNSET, which is not set; set it, or write ${NAME:-default}")]
    [InlineData("ab-${UNSET}",
        "test.yml:6:13: postgres.user needs the environment variable UNSET, which is not set; set it, or write ${NAME:-default}")]
    [InlineData("ab${",
        "test.yml:6:12: postgres.user holds a '${' that begins neither ${NAME} nor ${NAME:-default}; "
            + "write $${ for the characters themselves")]
    [InlineData("${NAME} ${A B}",
        "test.yml:6:18: postgres.user holds a '${' that begins neither ${NAME} nor ${NAME:-default}; "
            + "write $${ for the characters themselves")]
    [InlineData("${UNSET:-${NAME}}",
        "test.yml:6:10: postgres.user holds a '${' that begins neither ${NAME} nor ${NAME:-default}; "
            + "write $${ for the characters themselves")]
    [InlineData("${NAME-x}",
        "test.yml:6:10: postgres.user holds a '${' that begins neither ${NAME} nor ${NAME:-default}; "
            + "write $${ for the characters themselves")]
    public void a_reference_that_cannot_be_replaced_is_a_fault_at_its_place(string given, string expected)
    {
        using var file = ConfigurationFile.PlanWith("user: \"student\"", given == "${UNSET}" ? $"user: {given}" : $"user: \"{given}\"");
        Assert.Equal([expected], file.Faults(environment: Environment));
    }

    [Fact]
    public void a_variable_that_several_keys_need_is_told_once()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan
            .Replace("<rollnumber>", "${UNSET}", StringComparison.Ordinal).Replace("student\"", "${OTHER}\"", StringComparison.Ordinal));
        var faults = file.Faults(environment: Environment);
        Assert.Equal(2, faults.Length);
        Assert.Contains("postgres.user needs the environment variable OTHER, which is not set", faults[0]);
        Assert.Contains("postgres.table, kafka.topic, datalake.path, ", faults[1]);
    }

    [Fact]
    public void the_argument_wins_over_the_environments_roll_number()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        var environment = new Dictionary<string, string> { ["ROLLNUMBER"] = "env" };
        Assert.Equal("env_orders", file.Load(environment: environment, rollnumber: null).Postgres.Table);
        Assert.Equal("arg_orders", file.Load(environment: environment, rollnumber: "arg").Postgres.Table);
    }

    [Fact]
    public void a_missing_roll_number_is_told_once_with_all_that_needs_it()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        string[] expected =
        [
            "test.yml:8:10: postgres.table, kafka.topic, datalake.path, streaming.checkpoint_location, "
                + "streaming.last_processed_timestamp_location need a roll number; give --rollnumber, or set the environment variable "
                + "ROLLNUMBER",
        ];
        Assert.Equal(expected, file.Faults(rollnumber: null));
        Assert.Equal(expected, file.Faults(environment: new() { ["ROLLNUMBER"] = "" }, rollnumber: null));
    }

    [Fact]
    public void a_file_without_the_placeholder_needs_no_roll_number()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan.Replace("<rollnumber>", "x", StringComparison.Ordinal));
        Assert.Empty(file.Faults(rollnumber: null));
        Assert.Empty(file.Faults(environment: new() { ["ROLLNUMBER"] = "not/safe" }, rollnumber: null));
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("a b")]
    [InlineData("a;drop")]
    [InlineData("-a")]
    [InlineData("_a")]
    [InlineData(".")]
    [InlineData("ä")]
    [InlineData("")]
    [InlineData("1234567890123456789012345678901234567890123456789")]
    public void an_unsafe_roll_number_is_refused_once(string rollnumber)
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal(
            [$"--rollnumber: the roll number is '{rollnumber}'; it becomes part of a table, topic and folder name, so it must be 1 to "
                + "48 letters, digits, _ or -, and begin with a letter or digit"],
            file.Faults(rollnumber: rollnumber));
    }

    [Fact]
    public void a_roll_numbers_case_is_kept()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal("24Bcs-01_A_orders", file.Load(rollnumber: "24Bcs-01_A").Postgres.Table);
    }

    [Theory]
    [InlineData("<rolnumber>")]
    [InlineData("<roll_number>")]
    [InlineData("<roll number>")]
    [InlineData("<rollno>")]
    [InlineData("<your-roll-nr>")]
    [InlineData("{rollnumber}")]
    [InlineData("{ROLL_NO}")]
    public void a_misspelt_placeholder_does_not_become_a_name(string placeholder)
    {
        using var file = ConfigurationFile.PlanWith("table: <rollnumber>_orders", $"table: \"{placeholder}_orders\"");
        Assert.Equal([$"test.yml:8:11: postgres.table holds '{placeholder}'; did you mean <rollnumber>?"], file.Faults());
    }
}
