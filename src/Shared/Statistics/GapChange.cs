namespace FuncScaler.Statistics;

/// <summary>
/// Notices that gaps are no longer what their histogram says, by a cumulative sum of how much better "anything" would have foretold each
/// (Page, "Continuous inspection schemes", Biometrika 1954). The histogram then all but forgets.
/// </summary>
internal struct GapChange
{
    // About twelve gaps in a row that the histogram has never seen, or e^25 to one.
    private const float Threshold = 25;
    private const double Forgets = 0.05;

    // "Anything": all bins alike.
    private const double Anything = 1.0 / LogHistogram.BinCount;
    private const int FewestGaps = 20;

    private float _sum;

    /// <summary>To be called before a gap is added.</summary>
    public bool Changed(LogHistogram gaps, long gapUs)
    {
        if (gaps.Count < FewestGaps)
        {
            return false;
        }

        // Neighbouring bins share what falls near their bounds.
        var bin = LogHistogram.BinOf(gapUs);
        var near = gaps.Share(bin) + (0.5 * (gaps.Share(Math.Max(0, bin - 1)) + gaps.Share(Math.Min(LogHistogram.BinCount - 1, bin + 1))));
        var foretold = (0.9 * near / 2) + (0.1 * Anything);
        _sum = Math.Max(0, _sum + (float)Math.Log(Anything / foretold));
        if (_sum < Threshold)
        {
            return false;
        }

        _sum = 0;
        gaps.Fade(Forgets);
        return true;
    }
}
