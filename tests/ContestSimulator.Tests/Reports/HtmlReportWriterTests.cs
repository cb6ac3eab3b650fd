using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using FuncScaler.ContestSimulator.Reports;

namespace FuncScaler.Tests.Reports;

public sealed partial class HtmlReportWriterTests
{
    private static readonly SimulationReport Report = Samples.Report();
    private static readonly string Html = Samples.Html(Report);
    private static readonly XElement Page = Parse(Html);

    [Fact]
    public void The_page_is_well_formed_whatever_a_function_is_called()
    {
        Assert.StartsWith("<!DOCTYPE html>", Html, StringComparison.Ordinal);
        Assert.Equal("html", Page.Name.LocalName);
        // Twice per policy: once in its series, once in its table.
        var shown = Samples.HostileKey.Replace('\u0000', '\ufffd').Replace('\ud800', '\ufffd');
        Assert.Equal(2 * Report.Results.Count, Page.Descendants("bdi").Count(e => e.Value == shown));
    }

    [Fact]
    public void Data_never_becomes_markup()
    {
        Assert.Single(Page.Descendants("script"));
        Assert.Empty(Page.Descendants("img"));
        Assert.DoesNotContain(Page.DescendantsAndSelf().Attributes(), a => a.Name.LocalName.StartsWith("on", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void The_page_refers_to_nothing_outside()
    {
        Assert.DoesNotContain(
            Page.DescendantsAndSelf().Attributes().Where(a => a.Name.LocalName is "src" or "href" or "srcset" or "action" or "data" or "poster"),
            a => !a.Value.StartsWith("data:", StringComparison.Ordinal) && !a.Value.StartsWith('#'));
        Assert.DoesNotMatch(ExternalStyle(), Page.Descendants("style").Single().Value);
        Assert.DoesNotMatch(ExternalScript(), Page.Descendants("script").Single().Value);
        Assert.StartsWith("default-src 'none';", Policy(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_page_may_run_its_own_script_and_no_other()
    {
        var script = Page.Descendants("script").Single().Value;
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
        Assert.EndsWith($"script-src 'sha256-{hash}'", Policy(), StringComparison.Ordinal);
    }

    [Fact]
    public void Where_the_cold_start_shares_are_alike_the_mean_wait_stands_across_and_the_front_goes_through_what_nothing_betters()
    {
        SweepPoint[] points =
        [
            new(SweepFamily.Policy, "lean", 1, 0.1) { MeanWaitMs = 100 },
            new(SweepFamily.Policy, "quick", 1, 2) { MeanWaitMs = 10 },
            new(SweepFamily.Policy, "worse", 1, 2.5) { MeanWaitMs = 50 },
        ];

        var page = Parse(Samples.Html(Report with { Sweep = points }));

        Assert.Equal("Mean wait against wasted memory", page.Descendants("h2").Single(h => (string?)h.Attribute("id") == "pareto").Value);
        var front = page.Descendants("polyline").First(p => (string?)p.Attribute("class") == "front").Attribute("points")!.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, front.Length);
        Assert.DoesNotContain("Mean wait against", Samples.Html(Report with { Sweep = [points[0], points[1] with { P75ColdShare = 0.5 }] }), StringComparison.Ordinal);
    }

    [Fact]
    public void The_header_has_what_decides_the_figures_and_the_page_gives_them_away()
    {
        Assert.Contains("Seed7", Page.Descendants("dl").First().Value, StringComparison.Ordinal);
        Assert.Contains("Version1.2.3, abcdef01", Page.Descendants("dl").First().Value, StringComparison.Ordinal);
        var link = Page.Descendants("a").Single(a => a.Attribute("download") is not null).Attribute("href")!.Value;
        Assert.Equal(Report.Document, Encoding.UTF8.GetString(Convert.FromBase64String(link.Split(',')[1])));
    }

    [Fact]
    public void The_same_input_gives_the_same_page() => Assert.Equal(Html, Samples.Html(Samples.Report()));

    [Fact]
    public void The_readers_culture_changes_nothing()
    {
        var before = CultureInfo.CurrentCulture;
        var german = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        german.NumberFormat.NumberDecimalSeparator = ",";
        german.NumberFormat.NumberGroupSeparator = ".";
        german.NumberFormat.NegativeSign = "−";
        german.DateTimeFormat.TimeSeparator = ".";
        try
        {
            CultureInfo.CurrentCulture = german;
            Assert.Equal(Html, Samples.Html(Report));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Policies_come_with_the_best_first_below_the_bound()
    {
        var bars = Page.Descendants("ol").Single().Elements("li").Where(li => li.Attribute("aria-hidden") is null).ToList();
        Assert.Equal(
            ["clairvoyant", .. Report.Results.OrderByDescending(r => r.Score.Total).Select(r => r.Policy)],
            bars.Select(li => li.Element("span")!.Value));
        Assert.Equal("bound-row", bars[0].Attribute("class")!.Value);
        var bound = FormattableString.Invariant($"{Report.Bound!.Score:0.##}%");
        Assert.All(bars, li => Assert.Equal(bound, li.Descendants("line").Single(l => (string?)l.Attribute("class") == "bound").Attribute("x1")!.Value));
    }

    [Fact]
    public void The_table_has_every_measure_under_the_title_that_the_terminal_has_too()
    {
        var table = Page.Descendants("table").Single(t => (string?)t.Attribute("aria-labelledby") == "figures");
        Assert.Equal(["policy", .. Measures.All(Report.Prices).Select(m => m.Title)], table.Element("thead")!.Descendants("th").Select(th => th.Value));
        var first = table.Element("tbody")!.Elements("tr").ElementAt(1);
        var best = Report.Results.MaxBy(r => r.Score.Total)!;
        Assert.Equal(
            [best.Policy, .. Measures.All(Report.Prices).Select(m => m.Write(m.Of(best)))],
            first.Elements().Select(cell => cell.Value));
        Assert.Contains(Page.Descendants("p"), p => p.Value.Contains(" is best by ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_report_without_a_bound_or_a_sweep_leaves_them_out()
    {
        var page = Parse(Samples.Html(Report with { Bound = null, Sweep = [] }));
        Assert.Null(page.Descendants().Attributes("id").SingleOrDefault(a => a.Value == "pareto"));
        Assert.DoesNotContain(page.Descendants().Attributes("class"), a => a.Value.Contains("bound", StringComparison.Ordinal));
    }

    [Fact]
    public void A_report_of_nothing_is_a_page_still() =>
        Assert.Empty(Parse(Samples.Html(Report with { Results = [], Bound = null, Sweep = [], Requests = 0 })).Descendants("figure"));

    [Fact]
    public void Points_beyond_any_scale_are_listed_and_not_drawn()
    {
        var page = Parse(Samples.Html(Report with { Sweep = [new(SweepFamily.Fixed, "5 min", 0.5, double.PositiveInfinity)] }));
        Assert.Empty(Chart(page, "pareto-wide").Elements("g").Elements("title"));
        Assert.Contains(page.Descendants("bdi"), e => e.Value == "5 min");
    }

    [Fact]
    public void Runs_of_a_sweep_that_come_to_the_same_share_a_label()
    {
        var page = Parse(Samples.Html(Report with
        {
            Sweep =
            [
                new(SweepFamily.Fixed, "10 min", 0.5, 1), new(SweepFamily.Fixed, "60 min", 0.3, 4),
                new(SweepFamily.Fixed, "90 min", 0.3, 4), new(SweepFamily.Fixed, "120 min", 0.3, 4.001), new(SweepFamily.Hybrid, "1 h", 0.3, 4),
            ],
        }));
        Assert.Equal(
            ["10 min", "60 min – 120 min", "1 h"],
            Chart(page, "pareto-wide").Elements("text").Where(t => ((string?)t.Attribute("class"))!.StartsWith("label", StringComparison.Ordinal)).Select(t => t.Value));
    }

    [Fact]
    public void Functions_beyond_the_limit_share_a_row()
    {
        var page = Parse(Samples.Html(Report with { MaxFunctionRows = 1 }));
        Assert.All(
            page.Descendants("details").Where(d => (string?)d.Attribute("class") == "policy"),
            d => Assert.Equal("1 other", d.Descendants("tfoot").Single().Descendants("th").Single().Value));
    }

    [Fact]
    public void Every_picture_has_a_text_and_ids_are_unique()
    {
        Assert.All(
            Page.Descendants("svg").Where(svg => (string?)svg.Attribute("role") == "img"),
            svg => Assert.NotEmpty(svg.Element("title")!.Value));
        var ids = Page.Descendants().Attributes("id").Select(a => a.Value).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
        Assert.All(
            Page.Descendants().Attributes("aria-labelledby").SelectMany(a => a.Value.Split(' ')),
            id => Assert.Contains(id, ids));
    }

    [Theory]
    [InlineData("pareto-wide")]
    [InlineData("pareto-narrow")]
    public void No_label_of_the_plot_covers_another_or_a_point(string id)
    {
        var chart = Chart(Page, id);
        var labels = chart.Elements("text")
            .Where(t => ((string?)t.Attribute("class"))?.StartsWith("label", StringComparison.Ordinal) == true)
            .Select(t => (Text: t.Value, X: Number(t, "x"), Y: Number(t, "y"), Width: t.Value.Length * 6.2))
            .ToList();
        Assert.True(labels.Count > Report.Results.Count, $"Only {labels.Count} labels.");
        var viewWidth = Convert.ToDouble(chart.Attribute("viewBox")!.Value.Split(' ')[2], CultureInfo.InvariantCulture);
        Assert.All(labels, l => Assert.InRange(l.X, l.Width / 2, viewWidth - (l.Width / 2)));
        for (var i = 0; i < labels.Count; i++)
        {
            for (var j = 0; j < i; j++)
            {
                var (a, b) = (labels[i], labels[j]);
                Assert.False(
                    Math.Abs(a.X - b.X) < (a.Width + b.Width) / 2 && Math.Abs(a.Y - b.Y) < 11, $"'{a.Text}' and '{b.Text}' overlap.");
            }
        }

        foreach (var point in chart.Elements("g").Where(g => g.Attribute("transform") is not null))
        {
            var at = point.Attribute("transform")!.Value["translate(".Length..^1].Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToArray();
            Assert.DoesNotContain(labels, l => Math.Abs(l.X - at[0]) < l.Width / 2 && at[1] > l.Y - 10 && at[1] < l.Y + 2);
        }
    }

    private static XElement Parse(string html)
    {
        using var reader = XmlReader.Create(new StringReader(html), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader, LoadOptions.PreserveWhitespace);
    }

    private static XElement Chart(XElement page, string id) =>
        page.Descendants("svg").Single(svg => ((string?)svg.Attribute("aria-labelledby"))?.StartsWith(id + "-t", StringComparison.Ordinal) == true);

    private static double Number(XElement element, string attribute) =>
        double.Parse(element.Attribute(attribute)!.Value, CultureInfo.InvariantCulture);

    private static string Policy() =>
        Page.Descendants("meta").Single(m => (string?)m.Attribute("http-equiv") == "Content-Security-Policy").Attribute("content")!.Value;

    [GeneratedRegex("@import|url\\(|https?:|//", RegexOptions.IgnoreCase)]
    private static partial Regex ExternalStyle();

    [GeneratedRegex("https?:|fetch\\(|XMLHttpRequest|import\\(|eval\\(", RegexOptions.IgnoreCase)]
    private static partial Regex ExternalScript();
}
