using Microsoft.Playwright;
using OrdersStream.Doctor;
using OrdersStream.Status;

namespace OrdersStream.Site.Tests;

/// <summary>What the page shows of a given status, in a real browser.</summary>
public sealed class PageTests(Browser browser)
{
    [Fact]
    public async Task all_is_well_is_said_in_a_word_with_rates_lags_and_files()
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "All is well");
        Assert.Equal(
            ("842", "2.1 s behind", "838", "4.2 s behind · 3,994 records waiting", "1,234,567 rows"),
            (
                await watched.TextAsync("published-rate"), await watched.TextAsync("capture-lag"), await watched.TextAsync("stored-rate"),
                await watched.TextAsync("lake-lag"), await watched.TextAsync("lake-rows")));
        Assert.Equal(
            "Running. The newest rows came into the lake 1 s ago. Compared with the table 2 h 0 min ago: equal, but for 7 rows "
            + "that only the lake has.",
            await watched.TextAsync("summary"));
        Assert.Equal(("running", "running"), (await watched.TextAsync("capture-half"), await watched.TextAsync("lake-half")));
        Assert.Contains("as the process itself has seen it", await watched.TextAsync("seen-by"));
        Assert.Contains("Nothing: no problem", await watched.TextAsync("no-findings"));
        Assert.Equal(
            (4, 10),
            (await watched.Page.Locator("#partitions tbody tr").CountAsync(), await watched.Page.Locator("#files tbody tr").CountAsync()));
        Assert.Contains("44.6 KiB", await watched.TextAsync("files"));
        Assert.Contains("session 815", await watched.TextAsync("capture"));
        NothingWentElsewhere(watched, served.Address);
    }

    [Fact]
    public async Task a_cause_is_told_once_with_its_remedy_first_and_what_is_not_known_is_no_zero()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Wrong);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        Assert.Equal(
            ("not reachable", "at least 31 s behind", "initial load not done"),
            (await watched.TextAsync("topic-state"), await watched.TextAsync("lake-lag"), await watched.TextAsync("capture-lag")));
        Assert.Equal(("tries again", "not written"), (await watched.TextAsync("lake-half"), await watched.TextAsync("lake-state")));
        Assert.Equal("initial load · 50 % · 2 min left", await watched.TextAsync("capture-now"));
        Assert.Equal(0.5, await watched.Page.Locator("#window-progress").EvaluateAsync<double>("p => p.value"));
        // The status, both halves' journals and the half itself tell of the same cause.
        await watched.Page.Locator("#findings a:not([hidden])").First.WaitForAsync();
        Assert.Equal(
            [
                "problem", "Check kafka.brokers and that the brokers run.", "Kafka failed (Local_Transport: broker transport failure).",
                "Kafka at kafka.example:9092 · KafkaToLake · 19 times since 11:58:00, last at 12:00:00 (0 s ago)",
                "docs/operations.md: Kafka failed",
            ],
            await watched.Page.Locator("#findings li").First.Locator("> *").AllTextContentsAsync());
        Assert.Equal(
            ["problem", "warning", "warning", "warning"],
            await watched.Page.Locator("#findings li > :first-child").AllTextContentsAsync());
        // What is in quarantine is wrong, too; what is said of the source has a row for all of it.
        Assert.Equal(
            "warning'quarantine list' tells where they lie: correct them, and 'quarantine replay' sends them again."
            + "quarantined 2 of the topic's records: amount is no numberdocs/operations.md: quarantined ... records",
            await watched.Page.Locator("#findings li").Nth(1).TextContentAsync());
        Assert.Equal(
            "warningno index begins with updated_at: every poll reads the whole tabledocs/operations.md: source: ...",
            await watched.Page.Locator("#findings li").Nth(3).TextContentAsync());
        Assert.StartsWith("Needs help: Kafka failed (Local_Transport: broker transport failure).", await watched.TextAsync("summary"));
        Assert.Equal(
            ["2amount is no number", "1the value is no JSON object"], await watched.Page.Locator("#causes li").AllTextContentsAsync());
        Assert.Equal("–", await watched.Page.Locator("#partitions tbody tr td").Nth(1).TextContentAsync());
        Assert.StartsWith("Something is wrong", await watched.Page.TitleAsync());
    }

    [Fact]
    public async Task what_is_over_is_folded_away()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Wrong);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("past-count", "1 failure that is over");
        var past = watched.Page.Locator("#past-findings li");
        Assert.False(await past.IsVisibleAsync());
        await watched.Page.Locator("#past summary").ClickAsync();
        Assert.True(await past.IsVisibleAsync());
        Assert.Contains("it works again", await past.TextContentAsync());
    }

    [Fact]
    public async Task what_check_finds_is_asked_for_where_somebody_opens_it()
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        served.Report = new(Statuses.Well().At, "s",
        [
            new("postgres", Grade.Good, "version 15", null),
            new("index", Grade.Warning, "no index begins with updated_at, so every poll reads the whole table", "CREATE INDEX ..."),
            new("folders", Grade.Failure, "datalake.partition_by is 'date'", "Choose another."),
        ]);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.ShownAsync();
        Assert.DoesNotContain(watched.Requests, r => r.EndsWith("/api/check", StringComparison.Ordinal));
        await watched.Page.Locator("#check summary").ClickAsync();
        await watched.SaysAsync(
            "check-says", "As of 12:00:00 UTC: 1 thing would stop the stream or lose rows · 1 warning.");
        Assert.Equal(
            ["ok", "warning", "problem"], await watched.Page.Locator("#check-findings li > :first-child").AllTextContentsAsync());
        Assert.Contains("problemChoose another.folders: datalake.partition_by is 'date'", await watched.TextAsync("check-findings"));
        NothingWentElsewhere(watched, served.Address);
    }

    [Fact]
    public async Task a_finding_leads_to_its_row_of_the_document()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.ReadOnly);
        await using var watched = await browser.OpenAsync(served.Address);
        var link = watched.Page.Locator("#findings a:not([hidden])");
        await link.WaitForAsync();
        Assert.Equal("docs/operations.md: The file system is read-only", await link.TextContentAsync());
        await link.ClickAsync();
        await watched.Page.WaitForFunctionAsync("() => document.activeElement.localName === 'section'");
        var row = await watched.Page.EvaluateAsync<string>("() => document.activeElement.textContent");
        Assert.Contains("The file system is read-only", row);
        Assert.Contains("make room, remount, repair", row);
        NothingWentElsewhere(watched, served.Address);
    }

    [Fact]
    public async Task boxes_and_arrows_are_as_well_as_what_is_done_there()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.ReadOnly);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        var parts = new[] { "station-source", "hop-capture", "station-topic", "hop-lake", "station-lake" };
        Assert.Equal(["well", "well", "well", "wrong", "wrong"], await StatesAsync());
        Assert.Equal("not written", await watched.TextAsync("lake-state"));
        Assert.NotEqual(await ColourAsync("#station-topic", "borderLeftColor"), await ColourAsync("#station-lake", "borderLeftColor"));
        Assert.NotEqual(
            await ColourAsync("#hop-capture .arrow", "backgroundColor"), await ColourAsync("#hop-lake .arrow", "borderTopColor"));

        // Whose other end cannot be reached is not what is wrong.
        served.Status = Statuses.Wrong;
        await watched.SaysAsync("topic-state", "not reachable");
        Assert.Equal(["well", "wrong", "wrong", "wrong", "note"], await StatesAsync());

        Task<string> ColourAsync(string element, string property) =>
            watched.Page.Locator(element).EvaluateAsync<string>($"e => getComputedStyle(e).{property}");

        async Task<List<string>> StatesAsync()
        {
            var states = new List<string>();
            foreach (var part in parts) states.Add((await watched.Page.Locator($"#{part}").GetAttributeAsync("data-state"))!);
            return states;
        }
    }

    [Fact]
    public async Task where_nothing_flows_the_rate_is_none_and_the_last_row_has_its_age()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.ReadOnly);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        Assert.Equal(
            ("0", "last row 1 min 35 s ago", "1 min 37 s behind · 3,994 records waiting"),
            (await watched.TextAsync("stored-rate"), await watched.TextAsync("lake-now"), await watched.TextAsync("lake-lag")));
        Assert.Equal("wrong", await watched.Page.Locator("#lake-lag").GetAttributeAsync("data-state"));
        Assert.Equal("", await watched.TextAsync("capture-now"));
    }

    [Fact]
    public async Task a_peak_leaves_the_rest_to_be_seen_and_outages_are_shaded()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Uneven);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.ShownAsync();
        var rows = watched.Page.Locator("figure").First;
        Assert.Equal("2,000, peak 50,000", await rows.Locator(".top-label").TextContentAsync());
        Assert.NotEqual("", await rows.Locator(".peaks").GetAttributeAsync("d"));
        // What goes on is no peak.
        Assert.Equal("16 min 40 s", await watched.Page.Locator("figure").Nth(1).Locator(".top-label").TextContentAsync());
        Assert.Equal(1, await rows.Locator("rect.shade.wrong").CountAsync());
        Assert.Equal(1, await rows.Locator("rect.shade.gap").CountAsync());
        // A sixth of the hour.
        Assert.InRange(await rows.Locator("rect.shade.wrong").EvaluateAsync<double>("r => r.getAttribute('width') / 600"), 0.14, 0.2);
    }

    [Fact]
    public async Task the_course_is_shown_of_minutes_an_hour_or_a_day()
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.ShownAsync();
        var since = watched.Page.Locator(".axis span").First;
        Assert.StartsWith("58 min", await since.TextContentAsync());
        await watched.Page.GetByRole(AriaRole.Button, new() { Name = "15 min" }).ClickAsync();
        Assert.StartsWith("15 min", await since.TextContentAsync());
        served.History.Restore(
            Enumerable.Range(0, 600).Select(i => new FlowReading(
                TimeProvider.System.GetUtcNow().AddMinutes(i - 600), i * 60_000, i * 60_000, 1, 0, 0)), TimeProvider.System.GetUtcNow());
        var day = watched.Page.GetByRole(AriaRole.Button, new() { Name = "24 hours" });
        var asked = await watched.Page.RunAndWaitForResponseAsync(
            () => day.ClickAsync(), r => r.Url.EndsWith("/api/history", StringComparison.Ordinal));
        Assert.Equal(200, asked.Status);
        Assert.Equal("true", await day.GetAttributeAsync("aria-pressed"));
        served.Status = () => Statuses.Well() with { Flow = Statuses.Well().Flow with { Since = Statuses.Well().At.AddHours(-3) } };
        await watched.SaysAsync("seen-by", "as this process and those before it have seen it since 09:00:00");
        Assert.Equal("false", await watched.Page.GetByRole(AriaRole.Button, new() { Name = "15 min" })
            .GetAttributeAsync("aria-pressed"));
    }

    [Fact]
    public async Task what_nobody_does_is_said_in_a_word_and_with_its_remedy()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Abandoned);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        Assert.Equal(
            ("nobody runs it", "nobody runs it"), (await watched.TextAsync("capture-half"), await watched.TextAsync("lake-half")));
        Assert.Equal(
            ["problemStart it: 'run'.KafkaToLake: nobody runs it.", "unknownPostgresToKafka: says what it is at"],
            await watched.Page.Locator("#findings li").AllTextContentsAsync());
        Assert.True(await watched.Page.Locator("#no-findings").IsHiddenAsync());
        Assert.Equal(1, await watched.Page.Locator("#hop-lake.broken").CountAsync());
        Assert.Equal(1, await watched.Page.Locator("#hop-capture.idle:not(.broken)").CountAsync());
    }

    [Fact]
    public async Task rows_that_are_held_back_are_no_lag_like_another()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.HeldBack);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        Assert.Equal("rows held back for 10 min", await watched.TextAsync("capture-lag"));
        var facts = await watched.TextAsync("capture");
        Assert.Contains("Held backrows committed since 11:50:00 · behind prepared for 12 min · since 11:48:00", facts);
        Assert.Contains("Hidden transactionsession 77 · subscriber · there for 3 min", facts);
    }

    [Theory]
    [InlineData("<img src=x onerror=alert(1)>")]
    [InlineData("</td></table><script>alert(1)</script><svg onload=alert(1)>")]
    [InlineData("\"><a href=javascript:alert(1) onfocus=alert(1) autofocus>")]
    public async Task markup_in_a_text_from_elsewhere_stays_text(string markup)
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.WithMarkup(markup));
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("source-table", markup);
        Assert.Contains(markup, await watched.TextAsync("findings"));
        Assert.Contains(markup, await watched.TextAsync("files"));
        Assert.Contains(markup, await watched.TextAsync("causes"));
        Assert.Equal(
            0,
            await watched.Page.Locator(
                "img, script:not([src='status.js']), [onerror], [onload], [onfocus], a[href^=javascript], "
                + "svg:not(.plot svg)").CountAsync());
        NothingWentElsewhere(watched, served.Address);
    }

    [Fact]
    public async Task a_lost_contact_is_said_and_mends_itself()
    {
        var rows = 1_000L;
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well(rows));
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("lake-rows", "1,000 rows");
        Assert.True(await watched.Page.Locator("#contact").IsHiddenAsync());

        await served.StopAsync();
        await watched.SaysAsync("health-word", "Contact lost");
        Assert.Matches(
            @"Contact lost at \d\d:\d\d:\d\d UTC, \d+ s ago\. What is shown is from 12:00:00\.", await watched.TextAsync("contact"));
        await watched.SaysAsync("announce", "Contact lost");

        rows = 2_000;
        await served.StartAgainAsync();
        await watched.SaysAsync("lake-rows", "2,000 rows");
        await watched.SaysAsync("health-word", "All is well");
        Assert.True(await watched.Page.Locator("#contact").IsHiddenAsync());
    }

    [Fact]
    public async Task a_page_that_nobody_looks_at_does_not_ask()
    {
        var asked = 0;
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well(Interlocked.Increment(ref asked)));
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.ShownAsync();
        await watched.Page.EvaluateAsync(
            "() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); "
            + "document.dispatchEvent(new Event('visibilitychange')); }");
        var before = Asked(watched);
        // Longer than two of its periods.
        await watched.Page.WaitForTimeoutAsync(4_500);
        Assert.InRange(Asked(watched), before, before + 1);
        await watched.Page.EvaluateAsync(
            "() => { Object.defineProperty(document, 'hidden', { value: false, configurable: true }); "
            + "document.dispatchEvent(new Event('visibilitychange')); }");
        await watched.SaysAsync("health-word", "All is well");
        Assert.True(await watched.Page.Locator("#contact").IsHiddenAsync());

        static int Asked(WatchedPage page) => page.Requests.Count(r => r.EndsWith("/api/status", StringComparison.Ordinal));
    }

    /// <summary>The console tells of each request that fails, which the tests of a lost contact make fail on purpose.</summary>
    internal static void NothingWentElsewhere(WatchedPage watched, Uri address)
    {
        Assert.All(watched.Requests, request => Assert.StartsWith(address.ToString(), request));
        Assert.Empty(watched.Complaints);
    }
}
