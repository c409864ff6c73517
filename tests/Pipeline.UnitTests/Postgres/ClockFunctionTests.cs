using OrdersStream.Postgres;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Postgres;

/// <summary>A trigger's function counts only in a form that cannot do otherwise than to set the column from the clock.</summary>
public sealed class ClockFunctionTests
{
    [Theory]
    [InlineData("BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END")]
    [InlineData("BEGIN NEW.updated_at = now(); RETURN NEW; END;")]
    [InlineData("begin\n\tnew.\"updated_at\":=CURRENT_TIMESTAMP;return new;\r\nend ;")]
    [InlineData("BEGIN NEW . Updated_At := Clock_Timestamp ( ) ; RETURN NEW ; END")]
    [InlineData("/* sets\n it */ BEGIN -- always; RETURN OLD\n NEW.updated_at := pg_catalog.transaction_timestamp(); RETURN/**/NEW; END")]
    public void a_body_that_only_sets_the_column_counts(string body) => Assert.True(ClockFunction.AlwaysSets(body, "updated_at"));

    [Fact]
    public void the_body_of_the_script_counts()
    {
        var script = File.ReadAllText(Path.Combine(ConfigurationFile.Repository, "db", "orders.sql"));
        var body = script.Split("RETURNS trigger LANGUAGE plpgsql AS $$")[1].Split("$$")[0];
        Assert.True(ClockFunction.AlwaysSets(body, "updated_at"));
        Assert.False(ClockFunction.AlwaysSets(body.Replace("updated_at", "created_at"), "created_at"));
    }

    [Theory]
    [InlineData("BEGIN NEW.updated_at := coalesce(NEW.updated_at, now()); RETURN NEW; END")]
    [InlineData("BEGIN IF NEW.updated_at IS NULL THEN NEW.updated_at := now(); END IF; RETURN NEW; END")]
    [InlineData("BEGIN NEW.updated_at := now(); RETURN OLD; END")]
    [InlineData("BEGIN NEW.updated_at := now(); NEW.updated_at := OLD.updated_at; RETURN NEW; END")]
    [InlineData("BEGIN NEW.updated_at := now() - interval '1 day'; RETURN NEW; END")]
    [InlineData("BEGIN RETURN NEW; NEW.updated_at := now(); END")]
    [InlineData("BEGIN NEW.updated_at := statement_timestamp(); RETURN NEW; END")]
    [InlineData("BEGIN -- NEW.updated_at := now();\n RETURN NEW; END")]
    [InlineData("BEGIN /* NEW.updated_at := now(); */ RETURN NEW; END")]
    [InlineData("BEGIN /* /* */ NEW.updated_at := now(); RETURN NEW; END */ RETURN NEW; END")]
    [InlineData("BEGIN NEW.\"Updated_at\" := now(); RETURN NEW; END")]
    [InlineData("BEGIN NEW.created_at := now(); RETURN NEW; END")]
    [InlineData("BEGIN OLD.updated_at := now(); RETURN NEW; END")]
    [InlineData("BEGIN NEW.updated_at := '--'; NEW.updated_at := OLD.updated_at;\n RETURN NEW; END")]
    [InlineData("BEGIN NEW.updated_at := other.now(); RETURN NEW; END")]
    [InlineData("DECLARE now timestamptz; BEGIN NEW.updated_at := now; RETURN NEW; END")]
    [InlineData("BEGIN NEW.updated_at := now(); RETURN NEW; EXCEPTION WHEN OTHERS THEN RETURN NEW; END")]
    [InlineData(
        "BEGIN NEW.updated_at := clock_timestamp(); IF TG_OP = 'UPDATE' THEN NEW.updated_at := OLD.updated_at; END IF; RETURN NEW; END")]
    [InlineData("BEGIN NEW.$column := now(); RETURN NEW; END")]
    [InlineData("BEGIN NEW.updated_at := now(); IF TG_OP = 'update' THEN NEW.created_at := OLD.created_at; END IF; RETURN NEW; END")]
    [InlineData("")]
    public void a_body_that_may_do_otherwise_does_not_count(string body) => Assert.False(ClockFunction.AlwaysSets(body, "updated_at"));

    [Theory]
    [InlineData("BEGIN NEW.updated_at := now(); RETURN NEW; END", "now")]
    [InlineData("BEGIN NEW.updated_at = Clock_Timestamp(); RETURN NEW; END", "clock_timestamp")]
    [InlineData("BEGIN NEW.updated_at := pg_catalog.now(); RETURN NEW; END", null)]
    [InlineData("BEGIN NEW.updated_at := current_timestamp; RETURN NEW; END", null)]
    public void a_clock_without_its_schema_may_be_anothers(string body, string? clock) =>
        Assert.Equal(clock, ClockFunction.Unqualified(body));

    [Theory]
    [InlineData("When It Changed", "BEGIN NEW.\"When It Changed\" := now(); RETURN NEW; END", true)]
    [InlineData("odd \"name\"", "BEGIN NEW.\"odd \"\"name\"\"\" := now(); RETURN NEW; END", true)]
    [InlineData("Changed", "BEGIN NEW.Changed := now(); RETURN NEW; END", false)]
    [InlineData("a.c", "BEGIN NEW.abc := now(); RETURN NEW; END", false)]
    public void the_columns_name_is_the_one_that_the_server_would_take_it_for(string column, string body, bool counts) =>
        Assert.Equal(counts, ClockFunction.AlwaysSets(body, column));
}
