//! How many purchases have a term of each product, and of each of its price points: kept up to date, so that nobody
//! has to count purchases.

use super::conn::Conn;
use super::schema::{price_point_counts, product_counts, purchase_terms};
use super::sets::{SET_ROWS_MAX, arrays};
use super::{IN_MAX, Result};
use crate::core::link::{PurchaseId, TermOutline};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Text};
use diesel::upsert::excluded;
use std::collections::{BTreeMap, BTreeSet};

/// How many purchases there are of products and of their price points, or by how many they become more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By product.
    products: BTreeMap<String, i64>,
    /// By product and price point; an empty one stands for none that is known, as in the table.
    price_points: BTreeMap<(String, String), i64>,
}

impl Counts {
    /// A purchase with these terms is there.
    pub fn come(&mut self, terms: &[TermOutline]) {
        self.count(terms.iter().map(in_table), 1);
    }

    /// A purchase with these terms is no more.
    pub fn go(&mut self, terms: &[TermOutline]) {
        self.count(terms.iter().map(in_table), -1);
    }

    /// Counts the terms of one purchase: one that comes back to a product is still one purchase of it.
    fn count<'a>(&mut self, terms: impl Iterator<Item = (&'a str, &'a str)>, by: i64) {
        let terms: BTreeSet<(&str, &str)> = terms.collect();
        let products: BTreeSet<&str> = terms.iter().map(|(product, _)| *product).collect();
        for product in products {
            *self.products.entry(product.to_owned()).or_default() += by;
        }
        for (product, price_point) in terms {
            let key = (product.to_owned(), price_point.to_owned());
            *self.price_points.entry(key).or_default() += by;
        }
    }

    /// Without those of which there are none.
    fn without_none(mut self) -> Self {
        self.products.retain(|_, count| *count != 0);
        self.price_points.retain(|_, count| *count != 0);
        self
    }

    /// The products of which the other has another number, as a whole or at a price point.
    fn differing(&self, other: &Self) -> BTreeSet<String> {
        let by_product = self.products.keys().chain(other.products.keys());
        let products = by_product.filter(|key| self.products.get(*key) != other.products.get(*key));
        let by_point = self.price_points.keys().chain(other.price_points.keys());
        let points =
            by_point.filter(|key| self.price_points.get(*key) != other.price_points.get(*key));
        products.chain(points.map(|(product, _)| product)).cloned().collect()
    }
}

/// A term as it is counted.
fn in_table(term: &TermOutline) -> (&str, &str) {
    (&term.product_id, term.price_point.as_deref().unwrap_or_default())
}

#[derive(Insertable)]
#[diesel(table_name = product_counts)]
struct ProductRow<'a> {
    site_id: &'a str,
    product_id: &'a str,
    purchases: i64,
}

#[derive(Insertable)]
#[diesel(table_name = price_point_counts)]
struct PricePointRow<'a> {
    site_id: &'a str,
    product_id: &'a str,
    price_point: &'a str,
    purchases: i64,
}

/// Adds to how many purchases there are.
pub fn add(conn: &mut Conn, site_id: &str, more: Counts) -> Result<()> {
    let more = more.without_none();
    let products = more.products.iter();
    let products: Vec<ProductRow<'_>> = products
        .map(|(product_id, purchases)| ProductRow { site_id, product_id, purchases: *purchases })
        .collect();
    let points = more.price_points.iter();
    let points: Vec<PricePointRow<'_>> = points
        .map(|((product_id, price_point), purchases)| PricePointRow {
            site_id,
            product_id,
            price_point,
            purchases: *purchases,
        })
        .collect();
    match conn {
        Conn::Sqlite(c) => {
            let (of_products, of_points) =
                (product_counts::purchases, price_point_counts::purchases);
            for row in &products {
                diesel::insert_into(product_counts::table)
                    .values(row)
                    .on_conflict((product_counts::site_id, product_counts::product_id))
                    .do_update()
                    .set(of_products.eq(of_products + excluded(of_products)))
                    .execute(c)?;
            }
            for row in &points {
                diesel::insert_into(price_point_counts::table)
                    .values(row)
                    .on_conflict((
                        price_point_counts::site_id,
                        price_point_counts::product_id,
                        price_point_counts::price_point,
                    ))
                    .do_update()
                    .set(of_points.eq(of_points + excluded(of_points)))
                    .execute(c)?;
            }
        }
        Conn::Postgres(c) => {
            for rows in products.chunks(SET_ROWS_MAX) {
                sql_query(addition("product_counts", &["product_id"]))
                    .bind::<Text, _>(site_id)
                    .bind::<Array<Text>, _>(
                        rows.iter().map(|row| row.product_id).collect::<Vec<_>>(),
                    )
                    .bind::<Array<BigInt>, _>(
                        rows.iter().map(|row| row.purchases).collect::<Vec<_>>(),
                    )
                    .execute(c)?;
            }
            for rows in points.chunks(SET_ROWS_MAX) {
                sql_query(addition("price_point_counts", &["product_id", "price_point"]))
                    .bind::<Text, _>(site_id)
                    .bind::<Array<Text>, _>(
                        rows.iter().map(|row| row.product_id).collect::<Vec<_>>(),
                    )
                    .bind::<Array<Text>, _>(
                        rows.iter().map(|row| row.price_point).collect::<Vec<_>>(),
                    )
                    .bind::<Array<BigInt>, _>(
                        rows.iter().map(|row| row.purchases).collect::<Vec<_>>(),
                    )
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

/// The statement that adds to the counts of a site, out of one array for each column of the key and one of numbers.
fn addition(table: &str, key: &[&str]) -> String {
    let (names, values) = (key.join(", "), arrays(2, key.len() + 1));
    format!(
        "INSERT INTO {table} (site_id, {names}, purchases) SELECT $1, v.* FROM unnest({values}) AS v \
         ON CONFLICT (site_id, {names}) DO UPDATE SET purchases = {table}.purchases + excluded.purchases"
    )
}

/// Takes away purchases that are about to be removed, by the terms that are counted of them.
pub fn leave(conn: &mut Conn, site_id: &str, ids: &[PurchaseId]) -> Result<()> {
    let mut fewer = Counts::default();
    for ids in ids.chunks(IN_MAX) {
        let terms = purchase_terms::table
            .filter(purchase_terms::site_id.eq(site_id))
            .filter(purchase_terms::purchase_id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .select((
                purchase_terms::purchase_id,
                purchase_terms::product_id,
                purchase_terms::price_point,
            ));
        let mut by_purchase: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for (id, product, price_point) in terms.load::<(String, String, Option<String>)>(conn)? {
            by_purchase.entry(id).or_default().push((product, price_point.unwrap_or_default()));
        }
        for terms in by_purchase.values() {
            fewer
                .count(terms.iter().map(|(product, point)| (product.as_str(), point.as_str())), -1);
        }
    }
    add(conn, site_id, fewer)
}

/// How many purchases have a term of some products; one without any is left out.
pub fn of_products(
    conn: &mut Conn,
    site_id: &str,
    product_ids: &[String],
) -> Result<BTreeMap<String, i64>> {
    let counts = product_counts::table
        .filter(product_counts::site_id.eq(site_id))
        .filter(product_counts::product_id.eq_any(product_ids))
        .select((product_counts::product_id, product_counts::purchases));
    Ok(counts.load(conn)?.into_iter().collect())
}

/// How many purchases have a term of a product at a price point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricePointCount {
    /// The product.
    pub product_id: String,
    /// The price point; `None` where none is known.
    pub price_point: Option<String>,
    /// The purchases.
    pub purchases: i64,
}

/// How many purchases have a term at each price point of some products; first where none is known.
pub fn of_price_points(
    conn: &mut Conn,
    site_id: &str,
    product_ids: &[String],
) -> Result<Vec<PricePointCount>> {
    let counts = price_point_counts::table
        .filter(price_point_counts::site_id.eq(site_id))
        .filter(price_point_counts::product_id.eq_any(product_ids))
        .filter(price_point_counts::purchases.ne(0))
        .order((price_point_counts::product_id, price_point_counts::price_point))
        .select((
            price_point_counts::product_id,
            price_point_counts::price_point,
            price_point_counts::purchases,
        ));
    let count = |(product_id, price_point, purchases): (String, String, i64)| PricePointCount {
        product_id,
        price_point: Some(price_point).filter(|it| !it.is_empty()),
        purchases,
    };
    Ok(counts.load(conn)?.into_iter().map(count).collect())
}

/// All that is noted of a site.
fn noted(conn: &mut Conn, site_id: &str) -> Result<Counts> {
    let products = product_counts::table
        .filter(product_counts::site_id.eq(site_id))
        .select((product_counts::product_id, product_counts::purchases));
    let points =
        price_point_counts::table.filter(price_point_counts::site_id.eq(site_id)).select((
            price_point_counts::product_id,
            price_point_counts::price_point,
            price_point_counts::purchases,
        ));
    let points: Vec<(String, String, i64)> = points.load(conn)?;
    let points = points.into_iter().map(|(product, point, count)| ((product, point), count));
    let noted = Counts {
        products: products.load(conn)?.into_iter().collect(),
        price_points: points.collect(),
    };
    Ok(noted.without_none())
}

/// The same, counted anew.
fn counted(conn: &mut Conn, site_id: &str) -> Result<Counts> {
    use diesel::dsl::count;
    let purchases = || count(purchase_terms::purchase_id).aggregate_distinct();
    let products = purchase_terms::table
        .filter(purchase_terms::site_id.eq(site_id))
        .group_by(purchase_terms::product_id)
        .select((purchase_terms::product_id, purchases()));
    let points = purchase_terms::table
        .filter(purchase_terms::site_id.eq(site_id))
        .group_by((purchase_terms::product_id, purchase_terms::price_point))
        .select((purchase_terms::product_id, purchase_terms::price_point, purchases()));
    let points: Vec<(String, Option<String>, i64)> = points.load(conn)?;
    let points = points
        .into_iter()
        .map(|(product, point, count)| ((product, point.unwrap_or_default()), count));
    Ok(Counts {
        products: products.load(conn)?.into_iter().collect(),
        price_points: points.collect(),
    })
}

/// The products of a site of which another number of purchases is noted than there is.
pub fn wrong(conn: &mut Conn, site_id: &str) -> Result<BTreeSet<String>> {
    Ok(noted(conn, site_id)?.differing(&counted(conn, site_id)?))
}

/// Makes the counts of a site again.
pub fn recount(conn: &mut Conn, site_id: &str) -> Result<()> {
    let counts = counted(conn, site_id)?;
    diesel::delete(product_counts::table.filter(product_counts::site_id.eq(site_id)))
        .execute(conn)?;
    diesel::delete(price_point_counts::table.filter(price_point_counts::site_id.eq(site_id)))
        .execute(conn)?;
    add(conn, site_id, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(product: &str, price_point: Option<&str>) -> TermOutline {
        TermOutline {
            product_id: product.to_owned(),
            price_point: price_point.map(str::to_owned),
            started_at: crate::core::Instant::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_purchase_counts_once_for_a_product_and_once_for_each_of_its_price_points() {
        let mut counts = Counts::default();
        let terms = [term("1", None), term("1", Some("a")), term("2", None), term("1", Some("a"))];
        counts.come(&terms);
        assert_eq!(counts.products, BTreeMap::from([("1".to_owned(), 1), ("2".to_owned(), 1)]));
        let points: Vec<(&str, &str, i64)> = counts
            .price_points
            .iter()
            .map(|((product, point), count)| (product.as_str(), point.as_str(), *count))
            .collect();
        assert_eq!(points, [("1", "", 1), ("1", "a", 1), ("2", "", 1)]);
        counts.go(&terms);
        assert_eq!(counts.without_none(), Counts::default());
    }

    #[test]
    fn products_differ_by_their_own_number_or_by_that_of_a_price_point() {
        let counts = |terms: &[TermOutline]| {
            let mut counts = Counts::default();
            counts.come(terms);
            counts
        };
        let one = counts(&[term("1", None), term("2", None)]);
        let other = counts(&[term("1", Some("a")), term("3", None)]);
        assert_eq!(one.differing(&one), BTreeSet::new());
        assert_eq!(one.differing(&other), BTreeSet::from(["1", "2", "3"].map(str::to_owned)));
    }
}
