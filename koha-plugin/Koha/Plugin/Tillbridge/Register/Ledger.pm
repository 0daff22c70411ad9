# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Ledger;

# The plugin's two tables, and what it reads of Koha's. A reference is there once: that is what makes a repeat harmless.

use Mojo::Base -base, -signatures;
use C4::Context;
use Mojo::JSON qw(from_json to_json);

use Koha::Plugin::Tillbridge::Register::Amount    qw(units_kept);
use Koha::Plugin::Tillbridge::Register::Reference qw(is_of like_of word_in);

has 'plugin';
has bookings => sub ($self) { $self->plugin->get_qualified_table_name('bookings') };
has undoings => sub ($self) { $self->plugin->get_qualified_table_name('undoings') };

# References compare letter by letter, and no table points at one of Koha's: what is paid outlives patrons and lines.
sub create ($self) {
    my $reference = 'VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL';
    my $content   = 'CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL';
    my $rest      = 'result MEDIUMTEXT, created_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP';
    my $how       = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci';
    _do("CREATE TABLE IF NOT EXISTS @{[$self->bookings]} "
            . "(reference $reference PRIMARY KEY, patron_id INT NOT NULL, content $content, $rest) $how");
    _do("CREATE TABLE IF NOT EXISTS @{[$self->undoings]} "
            . "(reference $reference PRIMARY KEY, booking $reference, kind VARCHAR(10) NOT NULL, content $content, "
            . "$rest, KEY booking (booking)) $how");
}

sub drop ($self) { _do("DROP TABLE IF EXISTS $_") for $self->bookings, $self->undoings }

# Nobody else records for this patron until the transaction ends. False where there is no such patron.
sub lock_patron ($self, $patron_id) {
    return scalar _rows('SELECT borrowernumber FROM borrowers WHERE borrowernumber = ? FOR UPDATE', $patron_id);
}

sub booking ($self, $reference) {
    return _read(_rows("SELECT * FROM @{[$self->bookings]} WHERE reference = ?", $reference));
}

# The booking of this reference and those that have it with ":n" behind.
sub bookings_of ($self, $reference) {
    my @rows = _rows("SELECT * FROM @{[$self->bookings]} WHERE reference LIKE ? ESCAPE '|' ORDER BY reference",
        like_of($reference) . '%');
    return map { _read($_) } grep { is_of($_->{reference}, $reference) } @rows;
}

# The reference is taken before anything is recorded under it, and given its result at the end.
sub add_booking ($self, $reference, $patron_id, $content) {
    _do("INSERT INTO @{[$self->bookings]} (reference, patron_id, content) VALUES (?, ?, ?)",
        $reference, $patron_id, $content);
}

sub finish_booking ($self, $reference, $result) { _finish($self->bookings, $reference, $result) }

sub undoing ($self, $reference) {
    return _read(_rows("SELECT * FROM @{[$self->undoings]} WHERE reference = ?", $reference));
}

sub undoings_of ($self, $booking) {
    return
        map { _read($_) }
        _rows("SELECT * FROM @{[$self->undoings]} WHERE booking = ? ORDER BY created_on, reference", $booking);
}

sub add_undoing ($self, $kind, $order, $content) {
    _do(
        "INSERT INTO @{[$self->undoings]} (reference, booking, kind, content) VALUES (?, ?, ?, ?)",
        @$order{qw(reference booking)},
        $kind, $content
    );
}

sub finish_undoing ($self, $reference, $result) { _finish($self->undoings, $reference, $result) }

# A deadlock undoes the whole transaction. Where other code in Koha hid it, the reference is gone, and the rest must be
# undone too.
sub _finish ($table, $reference, $result) {
    my $rows = _do("UPDATE $table SET result = ? WHERE reference = ?", to_json($result), $reference);
    die "Deadlock found: somebody hid it, and $reference is gone.\n" unless $rows == 1;
}

# {reference, credit_id} of the patron's payments whose note holds the reference, by their ids. A refund's note says what
# a person typed, which may name anything.
sub credits_noting ($self, $patron_id, $reference) {
    my @rows = _rows(
        "SELECT accountlines_id, note FROM accountlines WHERE borrowernumber = ? AND credit_type_code = 'PAYMENT'"
            . " AND note LIKE ? ESCAPE '|' ORDER BY accountlines_id",
        $patron_id,
        '%' . like_of($reference) . '%'
    );
    my @found = map { {reference => word_in($_->{note}, $reference), credit_id => $_->{accountlines_id}} } @rows;
    return grep { defined $_->{reference} } @found;
}

# Koha's lines as they are now, by id.
sub lines ($self, @ids) {
    return {map { $_->{accountlines_id} => $_ } _in('SELECT * FROM accountlines WHERE accountlines_id IN', @ids)};
}

# What the credits are applied to, in the order of the charges: {credit_id => [{charge_id, units}...]}.
sub applied ($self, @credit_ids) {
    my %applied = map { $_ => {} } @credit_ids;
    my $found =
          'SELECT o.credit_id, o.debit_id, o.amount FROM account_offsets o'
        . ' JOIN accountlines d ON d.accountlines_id = o.debit_id'
        . " WHERE o.type = 'APPLY' AND o.amount < 0 AND d.debit_type_code <> 'VOID' AND o.credit_id IN";
    $applied{$_->{credit_id}}{$_->{debit_id}} -= units_kept($_->{amount}) for _in($found, @credit_ids);
    return {map { $_ => _sorted($applied{$_}) } keys %applied};
}

# Where Koha's binary fractions leave 0.0000000000000001 of a credit, Koha applies that to another charge, as an offset
# of nothing.
sub drop_crumbs ($self, $credit_id) {
    _do("DELETE FROM account_offsets WHERE credit_id = ? AND type = 'APPLY' AND amount = 0", $credit_id);
}

sub _sorted ($units_of) {
    return [map { {charge_id => 0 + $_, units => $units_of->{$_}} } sort { $a <=> $b } keys %$units_of];
}

# What refunds and discounts have taken off the charges, void ones too, as Koha counts them: {charge_id => units}.
sub reduced ($self, @charge_ids) {
    my %reduced = map { $_ => 0 } @charge_ids;
    my $found =
          'SELECT DISTINCT o.debit_id, c.accountlines_id, c.amount FROM account_offsets o'
        . ' JOIN accountlines c ON c.accountlines_id = o.credit_id'
        . " WHERE c.credit_type_code IN ('REFUND', 'DISCOUNT') AND o.debit_id IN";
    $reduced{$_->{debit_id}} -= units_kept($_->{amount}) for _in($found, @charge_ids);
    return \%reduced;
}

# Whether a charge was refunded by anybody after this credit came.
sub refunded_since ($self, $credit_id, @charge_ids) {
    my $found =
          'SELECT c.accountlines_id FROM account_offsets o JOIN accountlines c ON c.accountlines_id = o.credit_id'
        . " WHERE c.credit_type_code = 'REFUND' AND COALESCE(c.status, '') <> 'VOID'"
        . " AND c.accountlines_id > $credit_id AND o.debit_id IN";
    return scalar _in($found, @charge_ids);
}

# How many receipts Koha has queued for this patron.
sub receipts ($self, $patron_id) {
    my ($row) =
        _rows("SELECT COUNT(*) AS n FROM message_queue WHERE borrowernumber = ? AND letter_code = 'ACCOUNT_PAYMENT'",
        $patron_id);
    return $row->{n};
}

# Those of the items that the patron has on loan.
sub on_loan ($self, $patron_id, @items) {
    return
        map { $_->{itemnumber} => 1 }
        _in("SELECT itemnumber FROM issues WHERE borrowernumber = @{[0 + $patron_id]} AND itemnumber IN", @items);
}

sub _read ($row = undef) {
    return unless $row;
    return {%$row, result => defined $row->{result} ? from_json($row->{result}) : undef};
}

sub _in ($sql, @ids) { return @ids ? _rows("$sql (" . join(', ', ('?') x @ids) . ')', @ids) : () }

sub _rows ($sql, @values) {
    my $statement = C4::Context->dbh->prepare($sql);
    $statement->execute(@values);
    return @{$statement->fetchall_arrayref({})};
}

sub _do ($sql, @values) { return C4::Context->dbh->prepare($sql)->execute(@values) }

1;
