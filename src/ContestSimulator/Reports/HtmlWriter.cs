using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>
/// Writes HTML from interpolated strings: the literal parts are markup, whatever is filled in is data and gets encoded, and numbers are
/// written the same in every culture. What it writes is well-formed XML as long as the literals are.
/// </summary>
internal sealed class HtmlWriter(TextWriter output)
{
    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "The handler writes to this instance.")]
    public void Write([InterpolatedStringHandlerArgument("")] Markup markup) => _ = markup;

    public void Raw(string markup) => output.Write(markup);

    private void Text(ReadOnlySpan<char> text)
    {
        // Runes, so that half a surrogate pair becomes the replacement character.
        foreach (var rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '&':
                    output.Write("&amp;");
                    break;
                case '<':
                    output.Write("&lt;");
                    break;
                case '>':
                    output.Write("&gt;");
                    break;
                case '"':
                    output.Write("&quot;");
                    break;
                case '\'':
                    output.Write("&#39;");
                    break;
                case < ' ' or (>= 0x7f and < 0xa0) or 0xfffe or 0xffff when rune.Value is not ('\t' or '\n'):
                    output.Write('\ufffd');
                    break;
                default:
                    output.Write(rune.ToString());
                    break;
            }
        }
    }

    [InterpolatedStringHandler]
    public readonly ref struct Markup
    {
        private readonly HtmlWriter _html;

        public Markup(int literalLength, int formattedCount, HtmlWriter html)
        {
            _ = literalLength + formattedCount;
            _html = html;
        }

        public void AppendLiteral(string markup) => _html.Raw(markup);

        public void AppendFormatted(string? text) => _html.Text(text);

        public void AppendFormatted<T>(T value, string? format = null)
            where T : IFormattable =>
            _html.Text(value.ToString(format, CultureInfo.InvariantCulture));

        /// <summary>A coordinate or another bare number.</summary>
        public void AppendFormatted(double value, string format = "0.##") => _html.Text(value.ToString(format, CultureInfo.InvariantCulture));
    }
}
